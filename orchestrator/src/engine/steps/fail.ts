import type { Any } from "../../../../proto/gen/google/protobuf/any.ts";
import { caughtAround } from "../caught.ts";
import type { Draft } from "../draft.ts";
import { evaluateText, evaluateValue } from "../evaluate.ts";
import { toAny } from "../failure.ts";
import type { FailPlan } from "../plan.ts";
import type { LiveStep } from "../live.ts";
import { failStep } from "../step.ts";

/** Fails with the status that the workflow gives, or with the caught error as it came. */
export function beginFail(draft: Draft, step: LiveStep, fail: FailPlan): void {
  const caught = fail.rethrows ? caughtAround(step.frame.scope) : undefined;
  if (caught !== undefined) {
    failStep(draft, step, caught);
    return;
  }
  const place = { state: draft.state, scope: step.frame.scope, step: step.path };
  let message = "";
  if (fail.message !== undefined) {
    const evaluated = evaluateText(place, fail.message);
    if (evaluated.kind === "failed") {
      failStep(draft, step, evaluated.failure);
      return;
    }
    message = evaluated.value;
  }
  const details: Any[] = [];
  for (const { type, value } of fail.details) {
    const evaluated = evaluateValue(place, value);
    if (evaluated.kind === "failed") {
      failStep(draft, step, evaluated.failure);
      return;
    }
    details.push(toAny(type, evaluated.value.bytes));
  }
  failStep(draft, step, { status: { code: fail.code, message, details }, step: step.path });
}
