import { withdraw } from "./draft.ts";
import type { Draft } from "./draft.ts";
import { cancelledTimersMax, overduePauseMs } from "./limits.ts";
import type { LiveAttempt, LiveTimer, TimerPurpose } from "./live.ts";

/** Asks for a timer under the run's next number. */
export function armTimer(draft: Draft, atMs: number, purpose: TimerPurpose): LiveTimer {
  const { state } = draft;
  state.lastTimer += 1;
  const number = state.lastTimer;
  const dueMs = Math.ceil(atMs);
  const timer: LiveTimer = {
    number,
    dueMs,
    purpose,
    arm: { kind: "armTimer", issuedAt: draft.sequence, number, dueMs },
  };
  state.timers.set(number, timer);
  draft.commands.push(timer.arm);
  return timer;
}

/** The timer is not needed any more; when it fires all the same, nobody looks for it. */
export function cancelTimer(draft: Draft, timer: LiveTimer): void {
  const { state } = draft;
  if (!state.timers.delete(timer.number) || withdraw(draft, timer.arm)) return;
  const cancel = { kind: "cancelTimer", issuedAt: draft.sequence, number: timer.number } as const;
  state.cancelledTimers.set(timer.number, cancel);
  draft.commands.push(cancel);
  if (state.cancelledTimers.size <= cancelledTimersMax) return;
  for (const oldest of state.cancelledTimers.keys()) {
    state.cancelledTimers.delete(oldest);
    return;
  }
}

/** Makes sure that the attempt is told of when it is overdue. One timer serves all attempts of a run. */
export function watchOverdue(draft: Draft, attempt: LiveAttempt): void {
  const { state } = draft;
  if (attempt.overdueMs === Infinity) return;
  if (state.overdueTimer !== undefined) {
    if (state.overdueTimer.dueMs <= attempt.overdueMs) return;
    cancelTimer(draft, state.overdueTimer);
  }
  state.overdueTimer = armTimer(draft, attempt.overdueMs, { kind: "overdue" });
}

/** The overdue timer fired: tells of each attempt that is overdue now, once, and looks again when the next one may be. */
export function tellOverdue(draft: Draft): void {
  const { state } = draft;
  state.overdueTimer = undefined;
  let nextMs = Infinity;
  for (const attempt of state.attempts.values()) {
    if (attempt.close !== undefined) continue;
    if (attempt.overdueMs <= state.nowMs) {
      attempt.overdueMs = Infinity;
      attempt.isOverdue = true;
      draft.transitions.push({
        kind: "attemptOverdue",
        attempt: attempt.id,
        method: attempt.publish.method,
        atMs: state.nowMs,
      });
    } else if (attempt.overdueMs < nextMs) nextMs = attempt.overdueMs;
  }
  if (nextMs === Infinity) return;
  state.overdueTimer = armTimer(draft, Math.max(nextMs, state.nowMs + overduePauseMs), { kind: "overdue" });
}
