import type { Draft } from "./draft.ts";
import { armTimer } from "./timers.ts";

/** Has the turn begun as many steps as one may? Passes that wait for nothing would otherwise keep its partition from everything else. */
export function isLong({ state, stepsBegun }: Draft): boolean {
  const max = state.started?.limits?.turnStepsMax ?? 0;
  return max > 0 && stepsBegun >= max;
}

/** What a long turn has left goes on in the next one, which a timer brings at once. */
export function rest(draft: Draft): void {
  const { state } = draft;
  if (!isLong(draft) || state.hold !== undefined || state.parked.size === 0 || state.phase === "ended") return;
  for (const { purpose } of state.timers.values()) if (purpose.kind === "rest") return;
  armTimer(draft, state.nowMs, { kind: "rest" });
}

/** The next turn is there. */
export function goOn({ state }: Draft): void {
  state.worklist.push(...state.parked);
  state.parked.clear();
}
