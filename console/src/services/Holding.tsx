import { useState } from "react";
import { refresh } from "../api/ask.ts";
import { Chip, Lasting } from "../parts/pieces.tsx";
import { ActionDialog } from "../run/ActionDialog.tsx";
import type { Action } from "../run/ActionDialog.tsx";
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
  const [isOpen, setOpen] = useState<"hold" | "release">();
  const request: Action["request"] = ({ reason }) => ({ target: { [kind]: target }, reason });
  const onDone = (): void => refresh(services);
  const holding: Action = {
    name: "Hold",
    tells: `Calls of ${target} are held back, in all runs, until they are released.`,
    isDangerous: true,
    method: "sidestep.v1.Runs/Hold",
    request,
    reason: "Reason",
    done: `${target} is held.`,
    onDone,
  };
  const releasing: Action = {
    name: "Release",
    tells: `Calls of ${target} are made again; those that were held back go first.`,
    isDangerous: false,
    method: "sidestep.v1.Runs/Release",
    request,
    reason: "Reason",
    done: `${target} is released.`,
    onDone,
  };
  // The dialog stays when somebody else is quicker.
  const dialog =
    isOpen === undefined ? undefined : (
      <ActionDialog action={isOpen === "hold" ? holding : releasing} onClose={() => setOpen(undefined)} />
    );
  if (hold === undefined) {
    return (
      <>
        <ActButton
          method={holding.method}
          className="small"
          onClick={() => setOpen("hold")}
          aria-label={`Hold ${target}`}
        >
          Hold
        </ActButton>
        {dialog}
      </>
    );
  }
  return (
    <span className="row">
      <Chip look={{ word: "held", tone: "waiting", icon: "pause" }} />
      <span className="muted small-text">
        {hold.reason}
        {hold.actor === "" ? "" : ` (${hold.actor})`}
        {hold.reason === "" && hold.actor === "" ? "" : ", "}
        <Lasting from={hold.since} />
      </span>
      <ActButton
        method={releasing.method}
        className="small"
        onClick={() => setOpen("release")}
        aria-label={`Release ${target}`}
      >
        Release
      </ActButton>
      {dialog}
    </span>
  );
}
