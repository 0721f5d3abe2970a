import type { Draft } from "../draft.ts";
import { evaluateValue } from "../evaluate.ts";
import { code } from "../../../../proto/wire/status.ts";
import { toFailure } from "../failure.ts";
import { fitsPayload } from "../limits.ts";
import type { PlannedExpression } from "../plan.ts";
import type { LiveStep } from "../live.ts";
import { completeStep, failStep } from "../step.ts";

/** Keeps a value. */
export function beginLet(draft: Draft, step: LiveStep, value: PlannedExpression): void {
  const { state } = draft;
  const evaluated = evaluateValue({ state, scope: step.frame.scope, step: step.path }, value);
  if (evaluated.kind === "failed") {
    failStep(draft, step, evaluated.failure);
    return;
  }
  if (fitsPayload(state, evaluated.value.bytes.length)) {
    completeStep(draft, step, evaluated.value);
    return;
  }
  const message = `the value has ${evaluated.value.bytes.length} bytes, ${state.started?.limits?.payloadBytesMax ?? 0} are allowed (--payload-bytes-max)`;
  failStep(draft, step, toFailure(state.runId, step.path, code.RESOURCE_EXHAUSTED, "PAYLOAD_TOO_LARGE", message));
}
