import type { Draft } from "./draft.ts";
import { refuse } from "./draft.ts";
import { isDoubled, rememberRequest } from "./requests.ts";

/** Nothing new begins from here on: no step, no attempt, no compensation. Answers false where nothing would begin anyway. */
export function holdRun(draft: Draft, requestId: string): boolean {
  const { state } = draft;
  if (isDoubled(state, requestId)) return refuse(draft, "DUPLICATE");
  const isUnderWay = state.phase === "forward" || state.phase === "stopping" || state.phase === "compensating";
  if (state.isHeld || !isUnderWay) return false;
  rememberRequest(state, requestId);
  state.isHeld = true;
  return true;
}

/** Whatever waited for it goes on. Answers false when the run is not held. */
export function resumeRun(draft: Draft, requestId: string): boolean {
  const { state } = draft;
  if (isDoubled(state, requestId)) return refuse(draft, "DUPLICATE");
  if (!state.isHeld) return false;
  rememberRequest(state, requestId);
  liftHold(draft);
  return true;
}

/** A person has decided how the run goes on. */
export function liftHold({ state }: Draft): void {
  state.isHeld = false;
  state.worklist.push(...state.parked);
  state.parked.clear();
}
