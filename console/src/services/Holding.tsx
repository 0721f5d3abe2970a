import { useState } from "react";
import { refresh } from "../api/ask.ts";
import { call } from "../api/call.ts";
import { Chip, When } from "../parts/pieces.tsx";
import { ActionDialog } from "../run/ActionDialog.tsx";
import type { Action } from "../run/ActionDialog.tsx";
import { say } from "../shell/toasts.tsx";
import type { Hold } from "./services.ts";
import { ActButton } from "../session/ActButton.tsx";

const services = "sidestep.v1.Services/";

/** Whether calls of a service or a method are held back, and the way to change that. */
export function Holding({
  kind,
  target,
  hold,
}: {
  readonly kind: "service" | "method";
  readonly target: string;
  readonly hold: Hold | undefined;
}) {
  const [isOpen, setOpen] = useState(false);
  const action: Action = {
    name: "Hold",
    tells: `Calls of ${target} are held back, in all runs, until they are released.`,
    isDangerous: true,
    method: "sidestep.v1.Runs/Hold",
    request: ({ reason }) => ({ target: { [kind]: target }, reason }),
    reason: "Reason",
    done: `${target} is held.`,
    onDone: () => refresh(services),
  };
  const release = (): void =>
    void call("sidestep.v1.Runs/Release", { target: { [kind]: target } })
      .then(() => say(`${target} is released.`))
      .catch((error: unknown) => say(String(error)))
      .finally(() => refresh(services));
  if (hold !== undefined) {
    return (
      <span className="row">
        <Chip look={{ word: "held", tone: "waiting", icon: "pause" }} />
        <span className="muted small-text">
          {hold.reason}
          {hold.actor === "" ? "" : ` (${hold.actor})`}, since <When at={hold.since} />
        </span>
        <ActButton
          method="sidestep.v1.Runs/Release"
          className="small"
          onClick={release}
          aria-label={`Release ${target}`}
        >
          Release
        </ActButton>
      </span>
    );
  }
  return (
    <>
      <ActButton method={action.method} className="small" onClick={() => setOpen(true)} aria-label={`Hold ${target}`}>
        Hold
      </ActButton>
      {isOpen ? <ActionDialog action={action} onClose={() => setOpen(false)} /> : undefined}
    </>
  );
}
