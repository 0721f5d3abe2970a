import { AttemptId_Phase as Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Draft } from "./draft.ts";
import { requestsMax } from "./limits.ts";
import type { LiveStep } from "./live.ts";
import type { RunState } from "./state.ts";
import { failStep, leaveIncident } from "./step.ts";

/** A person's request to leave an incident. */
export interface IncidentRequest {
  /** Path of the step; empty: the only incident. */
  readonly step: string;
  readonly compensation: boolean;
  readonly requestId: string;
}

/** Leaves an incident by trying the step again, with a fresh set of attempts and a fresh step_timeout. Answers false when there is none. */
export function retryIncident(draft: Draft, request: IncidentRequest): boolean {
  const step = takeRequest(draft.state, request);
  if (step?.call === undefined) return false;
  leaveIncident(draft, step);
  step.call.attemptsBefore = step.call.attempt;
  step.state = { kind: "ready" };
  draft.state.worklist.push(step);
  return true;
}

/** Leaves an incident by failing the step for good. Answers false when there is none. */
export function failIncident(draft: Draft, request: IncidentRequest): boolean {
  const step = takeRequest(draft.state, request);
  if (step?.state.kind !== "paused") return false;
  failStep(draft, step, { status: step.state.incident.status, step: step.path });
  return true;
}

/** The step whose incident the request is about, unless the request has been taken before: the step may have stopped anew since. */
function takeRequest(state: RunState, { step: path, compensation, requestId }: IncidentRequest): LiveStep | undefined {
  const { requests } = state;
  if (requests.has(requestId)) return undefined;
  const step = incidentAt(state, path, compensation);
  if (step === undefined || requestId === "") return step;
  requests.add(requestId);
  for (const oldest of requests) {
    if (requests.size <= requestsMax) break;
    requests.delete(oldest);
  }
  return step;
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
