import { AttemptId_Phase as Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { AttemptId } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { Plan_Order as Order } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Draft } from "./draft.ts";
import { evaluateCondition } from "./evaluate.ts";
import type { LiveStep } from "./state.ts";
import { addressOf, failStep, makeStep, parentOf, skipStep } from "./step.ts";
import { beginCall, makeCall } from "./steps/call.ts";

/** Begins what may be undone now, in the plan's order. Nothing forward is in flight any more. */
export function compensate(draft: Draft): void {
  const { state } = draft;
  const { undo } = state;
  switch (draft.plan.plan.saga) {
    case Order.REVERSE:
    case Order.UNRECOGNIZED:
      while (state.compensating === 0) {
        const step = undo.pop();
        if (step === undefined) return;
        beginCompensation(draft, step);
      }
      return;
    case Order.PARALLEL:
      for (let step = undo.pop(); step !== undefined; step = undo.pop()) beginCompensation(draft, step);
      return;
    case Order.MANUAL:
      undo.length = 0;
      return;
  }
}

/** A compensation is a step of its own: retries, incidents and attempts like any call, in the place of the step that it undoes. */
function beginCompensation(draft: Draft, undone: LiveStep): void {
  const { state } = draft;
  const { compensate: plan } = undone.plan;
  if (plan === undefined) return;
  const call = makeCall(plan.call, forwardAttempt(undone));
  const step = makeStep(draft, undone.frame, undone.plan, Phase.COMPENSATE, { call, inner: undefined });
  state.compensations.set(step.path, step);
  state.compensating += 1;
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
  beginCall(draft, step, call);
}

function forwardAttempt(undone: LiveStep): AttemptId | undefined {
  return undone.call === undefined ? undefined : { ...addressOf(undone), attempt: undone.call.attempt };
}
