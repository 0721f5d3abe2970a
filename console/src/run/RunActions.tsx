import { useState } from "react";
import type { Definition } from "../api/definition.ts";
import { isFitting } from "../api/run.ts";
import type { Run } from "../api/run.ts";
import { ActionDialog } from "./ActionDialog.tsx";
import type { Action } from "./ActionDialog.tsx";
import { ActButton } from "../session/ActButton.tsx";

/** What can be done with the run as a whole: what it says that fits. */
export function RunActions({ run, definition }: { readonly run: Run; readonly definition: Definition | undefined }) {
  const [open, setOpen] = useState<Action>();
  // Who is about to act is told that somebody was quicker: the dialog stays.
  const actions = actionsOf(run, definition);
  if (actions.length === 0 && open === undefined) return undefined;
  return (
    <div className="row" role="group" aria-label="Actions on the run">
      {actions.map((action) => (
        <ActButton
          key={action.name}
          method={action.method}
          className={action.isDangerous ? "danger" : ""}
          onClick={() => setOpen(action)}
        >
          {action.name}
        </ActButton>
      ))}
      {open === undefined ? undefined : <ActionDialog action={open} onClose={() => setOpen(undefined)} />}
    </div>
  );
}

function actionsOf(run: Run, definition: Definition | undefined): readonly Action[] {
  const { runId } = run;
  const onRun = ({ reason }: { readonly reason: string }) => ({ runId, reason });
  const signals = run.signals.map(({ name, type }): Action => ({
    name: `Signal ${name}`,
    tells: `Gives the signal ${name} to the run, for the step that waits or will wait for it.`,
    isDangerous: false,
    method: "sidestep.v1.Runs/Signal",
    request: ({ message }) => ({ runId, name, payload: message }),
    form: definition === undefined ? undefined : { descriptors: definition.descriptors, type },
    done: `The signal ${name} was given.`,
  }));
  const onRuns: readonly Action[] = [
    {
      name: "Resume",
      tells: "The run goes on where it stands.",
      isDangerous: false,
      method: "sidestep.v1.Runs/Resume",
      request: onRun,
      reason: "Reason",
      done: "The run goes on.",
    },
    {
      name: "Pause",
      tells: "Nothing new begins until the run is resumed. Calls under way go on, and what they bring is kept.",
      isDangerous: false,
      method: "sidestep.v1.Runs/Pause",
      request: onRun,
      reason: "Reason",
      done: "The run is paused.",
    },
    {
      name: "Cancel",
      yes: "Cancel the run",
      tells: "No new steps; calls in flight are reset and awaited; then what was done is undone.",
      isDangerous: true,
      method: "sidestep.v1.Runs/Cancel",
      request: onRun,
      reason: "Reason",
      done: "The run is being cancelled.",
    },
    {
      name: "Terminate",
      tells: "Ends the run at once. Nothing is undone.",
      isDangerous: true,
      method: "sidestep.v1.Runs/Terminate",
      request: onRun,
      reason: "Reason",
      done: "The run was terminated.",
    },
    {
      name: "Delete",
      tells: "Removes the run with its history, its payloads and what the archive has of it.",
      isDangerous: true,
      method: "sidestep.v1.Runs/Delete",
      request: onRun,
      reason: "Reason",
      done: "The run is deleted.",
    },
  ];
  return [
    ...(isFitting(run, "SIGNAL") ? signals : []),
    ...onRuns.filter(({ name }) => isFitting(run, name.toUpperCase())),
  ];
}
