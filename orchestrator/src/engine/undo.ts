import type { Draft } from "./draft.ts";
import type { Frame, LiveStep, UndoScope } from "./live.ts";

/** An ended step with a compensation is to be undone, unless the compensation of a step around it does that already. */
export function noteUndo({ state }: Draft, step: LiveStep): void {
  let scope: UndoScope = step.frame.undo;
  while (scope.state !== "open") {
    if (scope.state === "covered" || scope.parent === undefined) return;
    scope = scope.parent;
  }
  if (step.undoOrder === 0) {
    state.undoNoted += 1;
    step.undoOrder = state.undoNoted;
  }
  scope.steps.push(step);
}

/** The step that a scope belongs to is over: its own compensation covers what is inside, or what is left goes to the scope around it. */
export function closeUndoScope(scope: UndoScope, isCovered: boolean): void {
  const { parent } = scope;
  if (parent === undefined || scope.state !== "open") return;
  scope.state = isCovered ? "covered" : "merged";
  parent.open.delete(scope.step);
  if (!isCovered) for (const step of scope.steps) parent.steps.push(step);
  scope.steps = [];
}

/** What is left to undo in a scope and in those inside it, in the order in which it ended. */
export function listUndo(scope: UndoScope): readonly LiveStep[] {
  return allOf(scope).toSorted((a, b) => a.undoOrder - b.undoOrder);
}

function allOf(scope: UndoScope): readonly LiveStep[] {
  return scope.open.size === 0 ? scope.steps : [...scope.steps, ...[...scope.open.values()].flatMap(allOf)];
}

/** The same, taken out: whoever asked for it undoes it. */
export function takeUndo(scope: UndoScope): readonly LiveStep[] {
  if (scope.steps.length === 0 && scope.open.size === 0) return [];
  const steps = listUndo(scope);
  emptyScope(scope);
  return steps;
}

function emptyScope(scope: UndoScope): void {
  scope.steps = [];
  for (const inner of scope.open.values()) emptyScope(inner);
}

/** The innermost try around a frame, or the run. */
export function tryAround(frame: Frame): UndoScope {
  let scope = frame.undo;
  while (!scope.isTry && scope.parent !== undefined) scope = scope.parent;
  return scope;
}

/** A forward attempt is out: nothing of the scopes around it is undone before it is settled. */
export function countAttempt(frame: Frame): void {
  for (let scope: UndoScope | undefined = frame.undo; scope !== undefined; scope = scope.parent) scope.attempts += 1;
}

/** It is settled: compensate_now steps that waited for it go on. */
export function settleCount({ state }: Draft, frame: Frame): void {
  for (let scope: UndoScope | undefined = frame.undo; scope !== undefined; scope = scope.parent) {
    scope.attempts -= 1;
    if (scope.attempts > 0) continue;
    state.worklist.push(...scope.waiting);
    scope.waiting.clear();
  }
}
