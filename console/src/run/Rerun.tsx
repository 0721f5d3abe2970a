import { useState } from "react";
import { text } from "../api/json.ts";
import type { Run, Step } from "../api/run.ts";
import { navigate } from "../navigation.tsx";
import { toHref } from "../route.ts";
import { ActButton } from "../session/ActButton.tsx";
import { ActionDialog } from "./ActionDialog.tsx";

/** Has a new run go on in place of one that has ended, from a step on. */
export function Rerun({ run, step }: { readonly run: Run; readonly step: Step }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <div className="row">
      <ActButton method="sidestep.v1.Runs/Rerun" className="small" onClick={() => setOpen(true)}>
        Rerun from here
      </ActButton>
      {isOpen ? (
        <ActionDialog
          action={{
            name: "Rerun from here",
            tells: `A new run goes on in place of this one: ${step.path} is the first step that runs, what those before came to is taken over.`,
            isDangerous: false,
            method: "sidestep.v1.Runs/Rerun",
            request: ({ reason }) => ({ runId: run.runId, step: step.path, reason }),
            reason: "Reason",
            done: "The new run has begun.",
            onDone: (answer) => navigate(toHref({ page: "run", runId: text(answer, "runId") })),
          }}
          onClose={() => setOpen(false)}
        />
      ) : undefined}
    </div>
  );
}
