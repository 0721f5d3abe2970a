import { useState } from "react";
import type { Definition } from "../api/definition.ts";
import type { Json } from "../api/json.ts";
import { isFitting } from "../api/run.ts";
import type { Incident, Run, Step } from "../api/run.ts";
import { allSteps } from "../graph/definition.ts";
import { nameOf } from "../graph/overlay.ts";
import { Lasting, Notice } from "../parts/pieces.tsx";
import { ActionDialog } from "./ActionDialog.tsx";
import type { Action } from "./ActionDialog.tsx";
import { ActButton } from "../session/ActButton.tsx";

const reasons: Readonly<Record<string, string>> = {
  EXHAUSTED: "All attempts have failed.",
  IN_DOUBT: "The call may have been carried out; whether it was is not known.",
  COMMAND_REJECTED: "The task could not be written.",
};

interface IncidentActionsProps {
  readonly run: Run;
  readonly incident: Incident;
  readonly step: Step;
  readonly definition: Definition | undefined;
  /** What the last attempt sent, as far as it may be shown; undefined: not known, or kept apart. */
  readonly request: Json | undefined;
}

/** What an incident is about, and the ways out of it. */
export function IncidentActions({ run, incident, step, definition, request }: IncidentActionsProps) {
  const [open, setOpen] = useState<Action>();
  const fitting = waysOut(run, incident, step, definition, request).filter(({ name }) =>
    isFitting(run, name.toUpperCase(), incident.step),
  );
  return (
    <div className="stack tight">
      <Notice tone="failed" icon="warning">
        <strong>It needs a person.</strong> {reasons[incident.reason] ?? ""} It has stood still{" "}
        <Lasting from={incident.since} />.
      </Notice>
      <div className="row" role="group" aria-label="Ways out of the incident">
        {fitting.map((action) => (
          <ActButton
            key={action.name}
            method={action.method}
            className={`small ${action.name === "Retry" ? "primary" : action.isDangerous ? "danger" : ""}`}
            onClick={() => setOpen(action)}
          >
            {action.name}
          </ActButton>
        ))}
      </div>
      {open === undefined ? undefined : <ActionDialog action={open} onClose={() => setOpen(undefined)} />}
    </div>
  );
}

function waysOut(
  run: Run,
  incident: Incident,
  step: Step,
  definition: Definition | undefined,
  sent: Json | undefined,
): readonly Action[] {
  const at = { runId: run.runId, step: incident.step };
  const written =
    definition === undefined ? undefined : allSteps(definition.steps).find(({ name }) => name === nameOf(step.path));
  const defined = step.compensation ? written?.compensation : written;
  const form = (type: string | undefined, first?: Json) =>
    definition === undefined || type === undefined || type === ""
      ? undefined
      : { descriptors: definition.descriptors, type, first };
  return [
    {
      name: "Retry",
      tells: "Tries the step again, with a fresh set of attempts.",
      isDangerous: false,
      method: "sidestep.v1.Runs/Retry",
      request: ({ reason }) => ({ ...at, reason }),
      reason: "Reason",
      done: `${incident.step} is tried again.`,
    },
    {
      name: "Skip",
      tells: step.compensation
        ? "The compensation counts as done."
        : "The step counts as done, with the result given here.",
      isDangerous: false,
      method: "sidestep.v1.Runs/Skip",
      request: ({ reason, message }) => ({ ...at, reason, result: message }),
      reason: "Reason",
      form: step.compensation ? undefined : form(defined?.resultType),
      done: `${incident.step} was skipped.`,
    },
    {
      name: "Patch",
      tells: "Tries the call again with another request, under a new idempotency key.",
      isDangerous: false,
      method: "sidestep.v1.Runs/Patch",
      request: ({ reason, message }) => ({ ...at, reason, request: message }),
      reason: "Reason",
      form: form(defined?.requestType, sent),
      done: `${incident.step} is tried again with another request.`,
    },
    {
      name: "Fail",
      tells: "The step fails; the workflow may catch that, else what was done is undone.",
      isDangerous: true,
      method: "sidestep.v1.Runs/Fail",
      request: ({ reason }) => ({ ...at, reason }),
      reason: "Reason",
      done: `${incident.step} has failed.`,
    },
    {
      name: "Compensate",
      tells: "The whole run fails, whatever would catch it, and what was done is undone.",
      isDangerous: true,
      method: "sidestep.v1.Runs/Compensate",
      request: ({ reason }) => ({ ...at, reason }),
      reason: "Reason",
      done: "What was done is being undone.",
    },
  ];
}
