import { AttemptId_Phase as Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { AttemptId } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Outcome } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { RpcStatus } from "../../../proto/gen/sidestep/internal/v1/rpc.ts";
import type { PublishTask } from "./command.ts";
import { withdraw } from "./draft.ts";
import type { Draft } from "./draft.ts";
import { heldPauseMs, reissueAfterMs } from "./limits.ts";
import { leaveLock } from "./releaseLock.ts";
import { attemptName } from "./state.ts";
import type { LiveAttempt, LiveCall, LiveStep, PreparedCall } from "./live.ts";
import { armTimer, cancelTimer, watchOverdue } from "./timers.ts";
import { countAttempt, settleCount } from "./undo.ts";

/** Asks for the next attempt of a call; the step is running then. */
export function publishAttempt(
  draft: Draft,
  step: LiveStep,
  call: LiveCall,
  prepared: PreparedCall,
  timeoutMs: number,
): void {
  const { state } = draft;
  const { plan } = call;
  call.attempt += 1;
  const id: AttemptId = { step: step.path, generation: step.generation, phase: step.phase, attempt: call.attempt };
  const publish: PublishTask = {
    kind: "publishTask",
    issuedAt: draft.sequence,
    issuedMs: state.nowMs,
    attempt: id,
    method: plan.method,
    request: prepared.request,
    payload: prepared.payload,
    headers: prepared.headers,
    timeoutMs,
    claim: plan.isClaimed,
    stream: plan.stream,
    isReissue: false,
    compensates: call.compensates,
  };
  const attempt: LiveAttempt = {
    id,
    step,
    publish,
    close: undefined,
    isTold: false,
    claim: undefined,
    overdueMs: plan.queueNoticeMs > 0 ? state.nowMs + plan.queueNoticeMs + timeoutMs : Infinity,
    isOverdue: false,
    deferred: undefined,
  };
  state.attempts.set(attemptName(id), attempt);
  call.inFlight += 1;
  if (step.phase !== Phase.COMPENSATE) {
    state.forwardAttempts += 1;
    countAttempt(step.frame);
  }
  step.state = { kind: "running", attempt };
  draft.commands.push(publish);
  draft.transitions.push({ kind: "attemptBegan", attempt: id, method: plan.method, atMs: state.nowMs });
  watchOverdue(draft, attempt);
}

/** Takes an attempt back whose task was asked for in this very turn: it never was. Answers false when it is older. */
export function withdrawAttempt(draft: Draft, attempt: LiveAttempt): boolean {
  if (attempt.publish.isReissue || !withdraw(draft, attempt.publish)) return false;
  settleAttempt(draft, attempt);
  return true;
}

/** The attempt is wanted no more; an outcome or AttemptExpired settles it. */
export function closeAttempt(draft: Draft, attempt: LiveAttempt): void {
  if (attempt.close !== undefined) return;
  dropReissue(draft, attempt);
  attempt.close = {
    kind: "closeAttempt",
    issuedAt: draft.sequence,
    attempt: attempt.id,
    method: attempt.publish.method,
    timeoutMs: attempt.publish.timeoutMs,
  };
  draft.commands.push(attempt.close);
}

/** The attempt is over: nothing of it is in flight any more. */
function settleAttempt(draft: Draft, attempt: LiveAttempt): void {
  const { state } = draft;
  if (!state.attempts.delete(attemptName(attempt.id))) return;
  leaveCall(draft, attempt.step);
  if (attempt.id.phase !== Phase.COMPENSATE) {
    state.forwardAttempts -= 1;
    settleCount(draft, attempt.step.frame);
  }
  dropReissue(draft, attempt);
}

/** What waits until nothing of a call is under way goes on: its verification, and whoever has the lock after it. */
function leaveCall(draft: Draft, step: LiveStep): void {
  if (step.call === undefined) return;
  step.call.inFlight -= 1;
  if (step.call.inFlight > 0) return;
  if (step.state.kind === "verifying") draft.state.worklist.push(step);
  if (step.endedMs !== 0) leaveLock(draft, step);
}

/** The task could not be written for long, or is held back; it is asked for again after a pause. */
export function deferAttempt(draft: Draft, attempt: LiveAttempt, isHeld: boolean): void {
  const { nowMs } = draft.state;
  dropReissue(draft, attempt);
  const pauseMs = isHeld ? heldPauseMs(nowMs - attempt.step.startedMs) : reissueAfterMs;
  attempt.deferred = armTimer(draft, nowMs + pauseMs, { kind: isHeld ? "held" : "reissue", attempt });
}

/** Asks for the same task again: it may have been written by now. */
export function reissueAttempt(draft: Draft, attempt: LiveAttempt): void {
  attempt.deferred = undefined;
  attempt.publish = { ...attempt.publish, issuedAt: draft.sequence, issuedMs: draft.state.nowMs, isReissue: true };
  draft.commands.push(attempt.publish);
}

function dropReissue(draft: Draft, attempt: LiveAttempt): void {
  if (attempt.deferred === undefined) return;
  cancelTimer(draft, attempt.deferred);
  attempt.deferred = undefined;
}

/** How an attempt ended. */
export interface AttemptEnd {
  readonly result: "completed" | "failed" | "inDoubt" | "expired";
  readonly status: RpcStatus | undefined;
  readonly counted: boolean;
  /** Another delivery of its task may still be under way: nothing is undone before that is over, too. */
  readonly mayLinger: boolean;
}

/** An attempt ended; `outcome` undefined: none came, and none can come. Its end is told once. */
export function endAttempt(draft: Draft, attempt: LiveAttempt, outcome: Outcome | undefined, end: AttemptEnd): void {
  if (end.mayLinger) closeAttempt(draft, attempt);
  else settleAttempt(draft, attempt);
  if (attempt.isTold) return;
  attempt.isTold = true;
  const { issuedMs, method } = attempt.publish;
  draft.transitions.push({
    kind: "attemptEnded",
    attempt: attempt.id,
    method,
    issuedMs,
    startedMs: outcome?.startedAtMs ?? issuedMs,
    endedMs: outcome?.endedAtMs ?? draft.state.nowMs,
    result: end.result,
    status: end.status,
    peer: outcome?.peer ?? "",
    sidecar: outcome?.sidecar,
    delivery: outcome?.delivery ?? 0,
    sent: outcome?.sent ?? false,
    counted: end.counted,
  });
}
