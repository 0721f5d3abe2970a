import type { Draft } from "../draft.ts";
import { evaluateCondition } from "../evaluate.ts";
import type { Inner, LiveStep } from "../live.ts";
import type { BlockPlan, CasePlan } from "../plan.ts";
import { completeStep, failStep } from "../step.ts";
import { enterBlock } from "./inner.ts";

/** Runs the first case that is true, else `otherwise`, else nothing. */
export function beginSwitch(
  draft: Draft,
  step: LiveStep,
  inner: Inner,
  cases: readonly CasePlan[],
  otherwise: BlockPlan | undefined,
): void {
  const place = { state: draft.state, scope: step.frame.scope, step: step.path };
  for (const { when, block } of cases) {
    const evaluated = evaluateCondition(place, when);
    if (evaluated.kind === "failed") {
      failStep(draft, step, evaluated.failure);
      return;
    }
    if (!evaluated.value) continue;
    enterBlock(draft, step, inner, block);
    return;
  }
  if (otherwise === undefined) completeStep(draft, step, undefined);
  else enterBlock(draft, step, inner, otherwise);
}
