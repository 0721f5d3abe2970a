import { closeAttempt, reissueAttempt } from "./attempts.ts";
import type { Draft } from "./draft.ts";
import type { LiveStep } from "./live.ts";
import { goOn } from "./rest.ts";
import { completeStep } from "./step.ts";
import { runTimeout } from "./steps/call.ts";
import { passDue } from "./steps/due.ts";
import { timeOutCall } from "./steps/callEnd.ts";
import { failRun } from "./stop.ts";
import { cancelTimer, tellOverdue } from "./timers.ts";

/** A timer is due. One that is not out any more has fired before or was cancelled: nothing happens. */
export function fireTimer(draft: Draft, number: number): boolean {
  const { state } = draft;
  const timer = state.timers.get(number);
  if (timer === undefined) {
    state.cancelledTimers.delete(number);
    return false;
  }
  state.timers.delete(number);
  const { purpose } = timer;
  // What a released hold fires early is not due yet.
  if (purpose.kind !== "held" && timer.dueMs > state.nowMs) state.nowMs = timer.dueMs;
  switch (purpose.kind) {
    case "backoff":
    case "pass":
      purpose.step.state = { kind: "ready" };
      state.worklist.push(purpose.step);
      return true;
    case "wait":
      completeStep(draft, purpose.step, undefined);
      return true;
    case "due":
      passDue(draft, purpose.step);
      return true;
    case "stepDeadline":
      passStepDeadline(draft, purpose.step);
      return true;
    case "runDeadline":
      state.deadlineTimer = undefined;
      failRun(draft, runTimeout(draft));
      return true;
    case "overdue":
      tellOverdue(draft);
      return true;
    case "rest":
      goOn(draft);
      return true;
    case "reissue":
    case "held":
      reissueAttempt(draft, purpose.attempt);
      return true;
  }
}

/** All attempts together have had their time: a call under way is reset and awaited, a backoff is over. */
function passStepDeadline(draft: Draft, step: LiveStep): void {
  const { call, state } = step;
  if (call === undefined) return;
  call.deadlineTimer = undefined;
  if (state.kind === "running") {
    closeAttempt(draft, state.attempt);
    step.state = { kind: "closing", attempt: state.attempt, reason: "timeout" };
  } else if (state.kind === "backingOff") {
    cancelTimer(draft, state.timer);
    timeOutCall(draft, step, call, undefined);
  }
}
