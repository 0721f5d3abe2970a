import { AttemptId_Phase as Phase } from "../../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Failure as FailedOutcome, Outcome } from "../../../../proto/gen/sidestep/internal/v1/task.ts";
import type { RpcStatus } from "../../../../proto/gen/sidestep/internal/v1/rpc.ts";
import { code } from "../../../../proto/wire/status.ts";
import { closeAttempt, endAttempt } from "../attempts.ts";
import type { Draft } from "../draft.ts";
import { parseDetails, toErrorInfo, toFailure } from "../failure.ts";
import type { KeptValue } from "../expression/result.ts";
import { fitsResult } from "../limits.ts";
import { judge } from "../retry.ts";
import type { LiveAttempt, LiveCall, LiveStep } from "../live.ts";
import { cancelStep, completeStep, isOpen } from "../step.ts";
import { stopStep } from "../stop.ts";
import { cancelTimer } from "../timers.ts";
import { noteUndo } from "../undo.ts";
import { doubtCall, giveUpCall, timeOutCall, tryAgain } from "./callEnd.ts";

/**
 * A call answered OK. It counts while the step is open, whichever attempt it was; `attempt` is undefined when that has been settled
 * before. Answers whether anything changed.
 */
export function succeedCall(
  draft: Draft,
  step: LiveStep,
  call: LiveCall,
  attempt: LiveAttempt | undefined,
  outcome: Outcome,
  response: KeptValue,
): boolean {
  const counted = isOpen(step);
  if (attempt !== undefined) {
    const mayLinger = isRedelivered(call, outcome);
    endAttempt(draft, attempt, outcome, { result: "completed", status: undefined, counted, mayLinger });
  }
  if (!counted) return undoLateSuccess(draft, step) || attempt !== undefined;
  leaveAttempts(draft, step, attempt);
  if (fitsResult(draft.state, response)) {
    completeStep(draft, step, response);
    return true;
  }
  step.maybeExecuted = true;
  const { payload, bytes } = response;
  const { payloadBytesMax = 0, claimedBytesMax = 0 } = draft.state.started?.limits ?? {};
  const message =
    payload === undefined
      ? `the response of ${call.plan.method} has ${bytes.length} bytes, ${payloadBytesMax} are allowed (--payload-bytes-max)`
      : `the response of ${call.plan.method} has ${payload.sizeBytes} bytes, ${claimedBytesMax} are allowed (--claimed-bytes-max)`;
  giveUpCall(
    draft,
    step,
    call,
    toFailure(draft.state.runId, step.path, code.RESOURCE_EXHAUSTED, "PAYLOAD_TOO_LARGE", message),
  );
  return true;
}

/**
 * A call answered OK that was made with a request which a person has replaced since. Its result is not the step's, and yet it was carried
 * out. Answers whether anything changed.
 */
export function succeedEarlier(
  draft: Draft,
  step: LiveStep,
  attempt: LiveAttempt | undefined,
  outcome: Outcome,
): boolean {
  if (step.verifies !== undefined) return false;
  if (attempt !== undefined) {
    endAttempt(draft, attempt, outcome, { result: "completed", status: undefined, counted: false, mayLinger: false });
  }
  if (!isOpen(step)) return undoLateSuccess(draft, step) || attempt !== undefined;
  const isNews = attempt !== undefined || !step.maybeExecuted;
  step.maybeExecuted = true;
  return isNews;
}

/** What a success finds when it ends a step: another attempt is overtaken, a backoff is needed no more. */
function leaveAttempts(draft: Draft, step: LiveStep, succeeded: LiveAttempt | undefined): void {
  const { state } = step;
  if (state.kind === "backingOff") cancelTimer(draft, state.timer);
  if (state.kind === "verifying" && state.by !== undefined) stopStep(draft, state.by);
  if ((state.kind === "running" || state.kind === "closing") && state.attempt !== succeeded) {
    closeAttempt(draft, state.attempt);
  }
}

/** A step that had failed was carried out after all: it is undone like the others, unless it is too late for that. */
function undoLateSuccess(draft: Draft, step: LiveStep): boolean {
  const { state } = draft;
  if (step.phase !== Phase.FORWARD || step.plan.compensate === undefined || step.maybeExecuted) return false;
  if (step.state.kind === "completed" || state.phase === "ending" || state.phase === "ended") return false;
  step.maybeExecuted = true;
  noteUndo(draft, step);
  return true;
}

/** A call failed. Counts from the attempt at hand only. */
export function failCall(
  draft: Draft,
  attempt: LiveAttempt,
  call: LiveCall,
  outcome: Outcome,
  failure: FailedOutcome,
): void {
  const { step } = attempt;
  const counted = isAwaited(step, attempt);
  const status = toRpcStatus(failure);
  const redelivered = isRedelivered(call, outcome);
  const judgement = judge(call.plan, { failure, sent: outcome.sent, redelivered });
  endAttempt(draft, attempt, outcome, { result: "failed", status, counted, mayLinger: redelivered });
  if (!counted) return;
  const isStopping = leaveAttempt(draft, step, status, judgement.maybeExecuted);
  if (isStopping) return;
  if (judgement.next === "doubt") doubtCall(draft, step, call, status);
  else if (judgement.next === "answer") giveUpCall(draft, step, call, { status, step: step.path });
  else if (step.state.kind === "closing") timeOutCall(draft, step, call, status);
  else tryAgain(draft, step, call, status, failure.retryAfterMs);
}

/** The step's attempt is over. Answers true when the step was waiting for just that, because the run stops: then it is over, too. */
function leaveAttempt(draft: Draft, step: LiveStep, status: RpcStatus, maybeExecuted: boolean): boolean {
  if (maybeExecuted) step.maybeExecuted = true;
  step.lastStatus = status;
  if (step.state.kind !== "closing" || step.state.reason !== "stop") return false;
  cancelStep(draft, step);
  return true;
}

/** The task was delivered again after it had been claimed: the call may have been carried out, or be under way. It was not made again. */
export function doubtAttempt(draft: Draft, attempt: LiveAttempt, call: LiveCall, outcome: Outcome): void {
  const { step } = attempt;
  const counted = isAwaited(step, attempt);
  const message = "the task was delivered again after its call had been claimed: the call may have been carried out";
  const details = [toErrorInfo(draft.state.runId, step.path, "IN_DOUBT")];
  const status: RpcStatus = { code: code.UNKNOWN, message, details };
  endAttempt(draft, attempt, outcome, { result: "inDoubt", status, counted, mayLinger: true });
  if (!counted) return;
  if (!leaveAttempt(draft, step, status, true)) doubtCall(draft, step, call, status);
}

/** No outcome came, and none can come any more. */
export function expireAttempt(draft: Draft, attempt: LiveAttempt, call: LiveCall): void {
  const { step } = attempt;
  const counted = isAwaited(step, attempt);
  const details = [toErrorInfo(draft.state.runId, step.path, "NO_OUTCOME")];
  const message = "no outcome came, and the attempt's time is over";
  const status: RpcStatus = { code: code.DEADLINE_EXCEEDED, message, details };
  // Who never claimed the call never made it.
  const maybeExecuted = !call.plan.isClaimed || attempt.claim !== undefined;
  endAttempt(draft, attempt, undefined, { result: "expired", status, counted, mayLinger: false });
  if (!counted) return;
  if (leaveAttempt(draft, step, status, maybeExecuted)) return;
  if (maybeExecuted && call.plan.isClaimed) doubtCall(draft, step, call, status);
  else if (step.state.kind === "closing") timeOutCall(draft, step, call, status);
  else tryAgain(draft, step, call, status, undefined);
}

/** May an earlier delivery of the task have begun the call? Where it has to be claimed, only the one who claimed it has. */
function isRedelivered(call: LiveCall, { delivery, recheck }: Outcome): boolean {
  return (delivery > 1 || recheck) && !call.plan.isClaimed;
}

/** Is this the attempt that the step waits for? */
function isAwaited({ state }: LiveStep, attempt: LiveAttempt): boolean {
  return (state.kind === "running" || state.kind === "closing") && state.attempt === attempt;
}

function toRpcStatus(failure: FailedOutcome): RpcStatus {
  return { code: failure.code, message: failure.message, details: parseDetails(failure.details) };
}
