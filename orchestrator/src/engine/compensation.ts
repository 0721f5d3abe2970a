import { AttemptId_Phase as Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { AttemptId } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { Plan_Order as Order } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Draft } from "./draft.ts";
import { evaluateCondition } from "./evaluate.ts";
import type { LiveStep, Scope, Undoing } from "./live.ts";
import { openUndoScope } from "./live.ts";
import { addressOf, failStep, makeStep, parentOf, skipStep } from "./step.ts";
import { beginCall, makeCall } from "./steps/call.ts";
import { enterBlock, makeInner } from "./steps/inner.ts";
import { noteUndo, takeUndo } from "./undo.ts";

/** Undoes at the run's end what is left, late successes included. Nothing forward is in flight any more. Answers whether all is over. */
export function compensate(draft: Draft): boolean {
  const { state } = draft;
  const left = takeUndo(state.undo);
  state.undoing ??= {
    waiting: [],
    open: 0,
    owner: undefined,
    hasBegun: true,
    isStopping: false,
    failure: undefined,
  };
  if (draft.plan.plan.saga !== Order.MANUAL) for (const step of left) state.undoing.waiting.push(step);
  continueUndoing(draft, state.undoing);
  return state.undoing.open === 0 && state.undoing.waiting.length === 0;
}

/** Begins what may be undone now, in the plan's order. */
export function continueUndoing(draft: Draft, undoing: Undoing): void {
  const isParallel = draft.plan.plan.saga === Order.PARALLEL;
  while (isParallel || undoing.open === 0) {
    if (draft.state.hold !== undefined) {
      if (undoing.owner !== undefined) draft.state.parked.add(undoing.owner);
      return;
    }
    const step = undoing.waiting.pop();
    if (step === undefined) return;
    beginCompensation(draft, step, undoing);
  }
}

/** What the undoing has not begun is left to whoever undoes next. */
export function giveBackUndo(draft: Draft, undoing: Undoing): void {
  for (const step of undoing.waiting) noteUndo(draft, step);
  undoing.waiting.length = 0;
}

/** A compensation is a step of its own: retries, incidents and attempts like any call, in the place of the step that it undoes. */
function beginCompensation(draft: Draft, undone: LiveStep, undoing: Undoing): void {
  const { state } = draft;
  const { compensate: plan } = undone.plan;
  if (plan === undefined) return;
  const { undo } = plan;
  const call = undo.kind === "call" ? makeCall(undo.call, forwardAttempt(undone)) : undefined;
  const inner = undo.kind === "block" ? makeInner(openUndoScope(undefined, undone.path, true)) : undefined;
  const step = makeStep(draft, undone.frame, undone.plan, Phase.COMPENSATE, { call, inner, undoing });
  state.compensations.set(step.path, step);
  undoing.open += 1;
  if (plan.when !== undefined) {
    const place = { state, scope: undone.frame.scope, step: undone.path };
    const evaluated = evaluateCondition(place, plan.when);
    if (evaluated.kind === "value" && !evaluated.value) {
      skipStep(draft, step);
      return;
    }
    if (evaluated.kind === "failed") {
      failStep(draft, step, evaluated.failure);
      return;
    }
  }
  state.compensated += 1;
  draft.transitions.push({
    kind: "stepBegan",
    address: addressOf(step),
    plan: undone.plan,
    parent: parentOf(step),
    atMs: step.startedMs,
  });
  if (call !== undefined) beginCall(draft, step, call);
  else if (inner !== undefined && undo.kind === "block") {
    enterBlock(draft, step, inner, undo.block, makeUndoScope(undone), forwardAttempt(undone));
  }
}

/** Steps of a compensating block see what the undone step saw, and its result; their paths begin with the undone one's: "ship~undo/recall". */
function makeUndoScope({ frame, path }: LiveStep): Scope {
  return {
    parent: frame.scope,
    prefix: `${path}~undo/`,
    variables: new Map(),
    steps: new Map(),
    sharesSteps: false,
    caught: undefined,
    begun: undefined,
  };
}

function forwardAttempt(undone: LiveStep): AttemptId | undefined {
  return undone.call === undefined ? undefined : { ...addressOf(undone), attempt: undone.call.attempt };
}
