import type { Draft } from "../draft.ts";
import { evaluatePassing } from "../evaluate.ts";
import type { PlannedExpression } from "../plan.ts";
import type { LiveStep } from "../live.ts";
import { completeStep, failStep } from "../step.ts";
import { completeRun } from "../verdict.ts";

/** Ends the run with a response; what runs beside it is given up. */
export function beginReturn(draft: Draft, step: LiveStep, value: PlannedExpression): void {
  const evaluated = evaluatePassing({ state: draft.state, scope: step.frame.scope, step: step.path }, value);
  if (evaluated.kind === "failed") {
    failStep(draft, step, evaluated.failure);
    return;
  }
  completeStep(draft, step, evaluated.value);
  completeRun(draft, evaluated.value, step.path);
}
