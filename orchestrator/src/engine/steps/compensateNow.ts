import { giveBackUndo, continueUndoing } from "../compensation.ts";
import type { Draft } from "../draft.ts";
import type { LiveStep, Undoing } from "../live.ts";
import { cancelStep, completeStep, failStep } from "../step.ts";
import { takeUndo, tryAround } from "../undo.ts";

/** Undoes what has completed in the innermost try around the step, else in the whole run. */
export function beginCompensateNow(draft: Draft, step: LiveStep): void {
  const undoing: Undoing = {
    waiting: [],
    open: 0,
    owner: step,
    hasBegun: false,
    isStopping: false,
    failure: undefined,
  };
  step.state = { kind: "undoing", undoing };
  continueCompensateNow(draft, step, undoing);
}

/** Calls under way in the scope are awaited first: what they did is undone, too. Then one is undone after the other, as the saga says. */
export function continueCompensateNow(draft: Draft, step: LiveStep, undoing: Undoing): void {
  const scope = tryAround(step.frame);
  if (!undoing.hasBegun && !undoing.isStopping) {
    if (scope.attempts > 0) {
      scope.waiting.add(step);
      return;
    }
    undoing.hasBegun = true;
    for (const it of takeUndo(scope)) undoing.waiting.push(it);
    if (undoing.waiting.length > 0) {
      draft.transitions.push({ kind: "compensationBegan", steps: undoing.waiting.length, atMs: draft.state.nowMs });
    }
  }
  if (undoing.isStopping) giveBackUndo(draft, undoing);
  else continueUndoing(draft, undoing);
  // While the run is held none of them begins.
  if (undoing.open > 0 || undoing.waiting.length > 0) return;
  scope.waiting.delete(step);
  if (undoing.isStopping) cancelStep(draft, step);
  else if (undoing.failure !== undefined) failStep(draft, step, undoing.failure);
  else completeStep(draft, step, undefined);
}
