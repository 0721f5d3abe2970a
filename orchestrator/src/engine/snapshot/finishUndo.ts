import type { RunSnapshot } from "../../../../proto/gen/sidestep/internal/v1/snapshot.ts";
import { required } from "./broken.ts";
import type { Parts } from "./rebuild.ts";

/** Gives an undo scope its steps, and the scopes inside that are open. */
export function finishUndoScope(parts: Parts, stored: RunSnapshot["undoScopes"][number], place: number): void {
  const scope = required(parts.undoScope(place), "an undo scope");
  for (const step of stored.steps) scope.steps.push(required(parts.step(step), "a step to undo"));
  for (const step of stored.waiting) scope.waiting.add(required(parts.step(step), "a step that waits to undo"));
  for (const open of stored.open) {
    const inner = required(parts.undoScope(open), "an undo scope inside");
    scope.open.set(inner.step, inner);
  }
}

/** Gives an undoing the steps that it has not begun. */
export function finishUndoing(parts: Parts, stored: RunSnapshot["undoings"][number], place: number): void {
  const undoing = required(parts.undoing(place), "an undoing");
  for (const step of stored.waiting) undoing.waiting.push(required(parts.step(step), "a step to undo"));
}
