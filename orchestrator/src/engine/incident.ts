import { AttemptId_Phase as Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Draft } from "./draft.ts";
import type { LiveStep, RunState } from "./state.ts";
import { failStep, leaveIncident } from "./step.ts";

/** Leaves an incident by trying the step again, with a fresh set of attempts and a fresh step_timeout. */
export function retryIncident(draft: Draft, path: string, isCompensation: boolean): boolean {
  const step = incidentAt(draft.state, path, isCompensation);
  if (step?.call === undefined) return false;
  leaveIncident(draft, step);
  step.call.attemptsBefore = step.call.attempt;
  step.state = { kind: "ready" };
  draft.state.worklist.push(step);
  return true;
}

/** Leaves an incident by failing the step for good. */
export function failIncident(draft: Draft, path: string, isCompensation: boolean): boolean {
  const step = incidentAt(draft.state, path, isCompensation);
  if (step?.state.kind !== "paused") return false;
  failStep(draft, step, { status: step.state.incident.status, step: step.path });
  return true;
}

/** The incident at a path; an empty path means the only one there is. */
function incidentAt(
  { steps, compensations, incidents }: RunState,
  path: string,
  isCompensation: boolean,
): LiveStep | undefined {
  if (path === "") {
    for (const step of incidents) return incidents.size === 1 ? step : undefined;
    return undefined;
  }
  const step = (isCompensation ? compensations : steps).get(path);
  if (step === undefined || !incidents.has(step)) return undefined;
  return (step.phase === Phase.COMPENSATE) === isCompensation ? step : undefined;
}
