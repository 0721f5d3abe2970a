import type { Draft } from "../draft.ts";
import { evaluateTime } from "../evaluate.ts";
import { mayOpenStep, tooManySteps } from "../limits.ts";
import type { PlannedExpression } from "../plan.ts";
import type { LiveStep } from "../live.ts";
import { completeStep, failStep, holdPlace } from "../step.ts";
import { armTimer } from "../timers.ts";

/** Waits for a duration. */
export function beginWait(draft: Draft, step: LiveStep, forMs: number): void {
  waitUntil(draft, step, draft.state.nowMs + forMs);
}

/** Waits until a point in time; one that has passed is no wait. */
export function beginWaitUntil(draft: Draft, step: LiveStep, until: PlannedExpression): void {
  const evaluated = evaluateTime({ state: draft.state, scope: step.frame.scope, step: step.path }, until);
  if (evaluated.kind === "failed") failStep(draft, step, evaluated.failure);
  else waitUntil(draft, step, evaluated.value);
}

function waitUntil(draft: Draft, step: LiveStep, dueMs: number): void {
  const { state } = draft;
  if (dueMs <= state.nowMs) {
    completeStep(draft, step, undefined);
    return;
  }
  if (!mayOpenStep(state, step)) {
    failStep(draft, step, tooManySteps(state, step.path));
    return;
  }
  holdPlace(draft, step);
  step.state = { kind: "waiting", timer: armTimer(draft, dueMs, { kind: "wait", step }) };
}
