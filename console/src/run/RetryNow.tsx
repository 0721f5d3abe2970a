import { useState } from "react";
import type { Run, Step } from "../api/run.ts";
import { ActionDialog } from "./ActionDialog.tsx";
import { ActButton } from "../session/ActButton.tsx";

/** Lets a step that backs off make its next attempt at once. */
export function RetryNow({ run, step }: { readonly run: Run; readonly step: Step }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <div className="row">
      <ActButton method="sidestep.v1.Runs/Retry" className="small" onClick={() => setOpen(true)}>
        Retry now
      </ActButton>
      {isOpen ? (
        <ActionDialog
          action={{
            name: "Retry now",
            tells: "The next attempt is made at once instead of when its pause is over.",
            isDangerous: false,
            method: "sidestep.v1.Runs/Retry",
            request: ({ reason }) => ({ runId: run.runId, step: step.path, reason }),
            reason: "Reason",
            done: `${step.path} is tried again.`,
          }}
          onClose={() => setOpen(false)}
        />
      ) : undefined}
    </div>
  );
}
