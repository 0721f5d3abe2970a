import { showDuration } from "../duration.ts";
import { AttemptId_Phase as Phase } from "../../../../proto/gen/sidestep/internal/v1/event.ts";
import {
  Call_OnDoubt as OnDoubt,
  Call_OnExhausted as OnExhausted,
} from "../../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { RpcStatus } from "../../../../proto/gen/sidestep/internal/v1/rpc.ts";
import { Incident_Reason as Reason } from "../../../../proto/gen/sidestep/v1/run.ts";
import { codeName, code } from "../../../../proto/wire/status.ts";
import type { Draft } from "../draft.ts";
import { toFailure } from "../failure.ts";
import { attemptName } from "../state.ts";
import type { Failure, LiveCall, LiveStep } from "../live.ts";
import { addressOf, failStep, openIncident } from "../step.ts";
import { armTimer } from "../timers.ts";
import { backoffMs } from "../retry.ts";

/** The last try failed in a way worth repeating: backs off, or is exhausted. */
export function tryAgain(
  draft: Draft,
  step: LiveStep,
  call: LiveCall,
  status: RpcStatus,
  retryAfterMs: number | undefined,
): void {
  const { state, transitions } = draft;
  const tries = call.attempt - call.attemptsBefore;
  step.lastStatus = status;
  if (tries >= call.plan.retry.attemptsMax) {
    exhaustCall(draft, step, call, { status, step: step.path }, Reason.EXHAUSTED);
    return;
  }
  const name = `${state.runId}/${attemptName({ ...addressOf(step), attempt: call.attempt })}`;
  const delayMs = backoffMs(call.plan.retry, tries, name, retryAfterMs);
  const dueMs = state.nowMs + delayMs;
  transitions.push({
    kind: "backoffBegan",
    address: addressOf(step),
    attempt: call.attempt,
    atMs: state.nowMs,
    dueMs,
  });
  if (delayMs === 0) {
    step.state = { kind: "ready" };
    state.worklist.push(step);
    return;
  }
  step.state = { kind: "backingOff", timer: armTimer(draft, dueMs, { kind: "backoff", step }) };
}

/** Nobody knows whether the call was carried out, and it must not be repeated unasked: on_doubt decides. */
export function doubtCall(draft: Draft, step: LiveStep, call: LiveCall, status: RpcStatus): void {
  switch (call.plan.onDoubt) {
    case OnDoubt.FAIL:
      giveUpCall(draft, step, call, { status, step: step.path });
      return;
    case OnDoubt.VERIFY:
      step.state = { kind: "verifying", status, by: undefined };
      draft.state.worklist.push(step);
      return;
    case OnDoubt.RETRY:
    case OnDoubt.PAUSE:
    case OnDoubt.UNRECOGNIZED:
      openIncident(draft, step, Reason.IN_DOUBT, status);
      return;
  }
}

/** All attempts failed, or there is no time for another: on_exhausted decides. */
export function exhaustCall(
  draft: Draft,
  step: LiveStep,
  call: LiveCall,
  failure: Failure,
  reason: typeof Reason.EXHAUSTED | typeof Reason.COMMAND_REJECTED,
): void {
  if (call.plan.onExhausted === OnExhausted.ON_EXHAUSTED_FAIL) failStep(draft, step, failure);
  else openIncident(draft, step, reason, failure.status);
}

/** It is certain that no further try helps: a forward step fails; of a compensation on_exhausted decides, for nobody else undoes it. */
export function giveUpCall(draft: Draft, step: LiveStep, call: LiveCall, failure: Failure): void {
  if (step.phase === Phase.FORWARD) failStep(draft, step, failure);
  else exhaustCall(draft, step, call, failure, Reason.EXHAUSTED);
}

/** step_timeout is over and no attempt is under way. `last`: how the last attempt ended. */
export function timeOutCall(draft: Draft, step: LiveStep, call: LiveCall, last: RpcStatus | undefined): void {
  const known = last ?? step.lastStatus;
  const cause = known === undefined ? "" : `; the last attempt: ${codeName(known.code)} ${known.message}`.trimEnd();
  const message = `no attempt succeeded within the step timeout of ${showDuration(call.plan.stepTimeoutMs ?? 0)}${cause}`;
  const failure = toFailure(draft.state.runId, step.path, code.DEADLINE_EXCEEDED, "STEP_TIMEOUT", message);
  exhaustCall(draft, step, call, failure, Reason.EXHAUSTED);
}
