import type { PauseRequested } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Draft } from "./draft.ts";
import { refuse } from "./draft.ts";
import { isDoubled, rememberRequest } from "./requests.ts";
import type { RunState } from "./state.ts";

/** Nothing new begins from here on: no step, no attempt, no compensation. Answers false where nothing would begin anyway. */
export function holdRun(draft: Draft, { requestId, reason, actor }: PauseRequested): boolean {
  const { state } = draft;
  if (isDoubled(state, requestId)) return refuse(draft, "DUPLICATE");
  if (!canHold(state)) return false;
  rememberRequest(state, requestId);
  state.hold = { reason, actor, sinceMs: state.nowMs };
  return true;
}

/** Is there anything that might begin? */
export function canHold({ phase, hold }: RunState): boolean {
  return hold === undefined && (phase === "forward" || phase === "stopping" || phase === "compensating");
}

/** Whatever waited for it goes on. Answers false when the run is not held. */
export function resumeRun(draft: Draft, requestId: string): boolean {
  const { state } = draft;
  if (isDoubled(state, requestId)) return refuse(draft, "DUPLICATE");
  if (state.hold === undefined) return false;
  rememberRequest(state, requestId);
  liftHold(draft);
  return true;
}

/** A person has decided how the run goes on. */
export function liftHold({ state }: Draft): void {
  state.hold = undefined;
  state.worklist.push(...state.parked);
  state.parked.clear();
}
