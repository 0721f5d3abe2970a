import { AttemptId_Phase as Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Draft } from "./draft.ts";
import { refuse } from "./draft.ts";
import type { KeptValue } from "./expression/result.ts";
import { liftHold } from "./hold.ts";
import { fitsPayload } from "./limits.ts";
import type { Failure, LiveStep } from "./live.ts";
import { isDoubled, rememberRequest } from "./requests.ts";
import type { RunState } from "./state.ts";
import { completeStep, failStep, leaveIncident } from "./step.ts";
import { failRun } from "./stop.ts";
import { cancelTimer } from "./timers.ts";

/** A person's request to leave an incident. */
export interface IncidentRequest {
  /** Path of the step; empty: the only incident. */
  readonly step: string;
  readonly compensation: boolean;
  readonly requestId: string;
}

/**
 * Leaves an incident by trying the step again, with a fresh set of attempts and a fresh step_timeout, or a backoff by making the next attempt
 * now. Answers false when there is none.
 */
export function retryIncident(draft: Draft, request: IncidentRequest & { readonly backoff: boolean }): boolean {
  if (request.backoff) return leaveBackoff(draft, request);
  const step = incidentOf(draft, request);
  if (step === undefined) return false;
  rememberRequest(draft.state, request.requestId);
  tryAnew(draft, step);
  return true;
}

/** As if its timer had fired. */
function leaveBackoff(draft: Draft, { step: path, compensation, requestId }: IncidentRequest): boolean {
  const { state } = draft;
  if (isDoubled(state, requestId)) return refuse(draft, "DUPLICATE");
  const step = (compensation ? state.compensations : state.steps).get(path);
  if (step?.state.kind !== "backingOff" || (step.phase === Phase.COMPENSATE) !== compensation) return false;
  rememberRequest(state, requestId);
  cancelTimer(draft, step.state.timer);
  step.state = { kind: "ready" };
  state.worklist.push(step);
  return true;
}

function tryAnew(draft: Draft, step: LiveStep): void {
  leaveIncident(draft, step);
  if (step.call !== undefined) step.call.attemptsBefore = step.call.attempt;
  step.state = { kind: "ready" };
  draft.state.worklist.push(step);
}

/** Leaves an incident by failing the step for good. Answers false when there is none. */
export function failIncident(draft: Draft, request: IncidentRequest): boolean {
  const step = incidentOf(draft, request);
  const failure = failureOf(step);
  if (step === undefined || failure === undefined) return false;
  rememberRequest(draft.state, request.requestId);
  failStep(draft, step, failure);
  return true;
}

/** Leaves an incident with a result that a person gives in place of the call's. */
export function skipIncident(draft: Draft, request: IncidentRequest & { readonly result: Uint8Array }): boolean {
  const { state } = draft;
  const step = incidentOf(draft, request);
  if (step === undefined) return false;
  if (!fitsPayload(state, request.result.length)) return refuse(draft, "PAYLOAD_TOO_LARGE");
  rememberRequest(state, request.requestId);
  completeStep(draft, step, step.phase === Phase.COMPENSATE ? undefined : givenResult(step, request.result));
  return true;
}

function givenResult({ call, plan }: LiveStep, bytes: Uint8Array): KeptValue | undefined {
  if (call !== undefined) return { type: call.plan.resultType, bytes };
  if (plan.action.kind !== "run" || plan.action.run.detach) return undefined;
  return { type: plan.action.run.responseType, bytes };
}

/** Leaves the incident of a call by trying it with another request, under a new idempotency key. */
export function patchIncident(draft: Draft, request: IncidentRequest & { readonly request: Uint8Array }): boolean {
  const { state } = draft;
  const step = incidentOf(draft, request);
  if (step?.call === undefined) return false;
  if (!fitsPayload(state, request.request.length)) return refuse(draft, "PAYLOAD_TOO_LARGE");
  rememberRequest(state, request.requestId);
  step.generation += 1;
  step.call.patch = request.request;
  step.call.prepared = undefined;
  tryAnew(draft, step);
  return true;
}

/** Leaves a forward step's incident by failing the run, whatever would catch the failure. */
export function compensateIncident(draft: Draft, request: Omit<IncidentRequest, "compensation">): boolean {
  const step = incidentOf(draft, { ...request, compensation: false });
  const failure = failureOf(step);
  if (step === undefined || failure === undefined || draft.state.verdict !== undefined) return false;
  rememberRequest(draft.state, request.requestId);
  liftHold(draft);
  failStep(draft, step, failure);
  failRun(draft, failure);
  return true;
}

function failureOf(step: LiveStep | undefined): Failure | undefined {
  return step?.state.kind === "paused" ? { status: step.state.incident.status, step: step.path } : undefined;
}

/** The step whose incident the request is about, unless the request has been taken before: the step may have stopped anew since. */
function incidentOf(draft: Draft, { step, compensation, requestId }: IncidentRequest): LiveStep | undefined {
  if (!isDoubled(draft.state, requestId)) return incidentAt(draft.state, step, compensation);
  refuse(draft, "DUPLICATE");
  return undefined;
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
