import type { Draft } from "../draft.ts";
import { evaluateValue } from "../evaluate.ts";
import { tooLarge } from "../limits.ts";
import type { LiveStep } from "../live.ts";
import type { PlannedExpression } from "../plan.ts";
import { completeStep, failStep } from "../step.ts";
import { keepYield } from "../yields.ts";

/** Hands one message to the callers of a streaming workflow; the oldest are forgotten past the run's limit. */
export function beginYield(draft: Draft, step: LiveStep, value: PlannedExpression): void {
  const { state } = draft;
  const evaluated = evaluateValue({ state, scope: step.frame.scope, step: step.path }, value);
  if (evaluated.kind === "failed") {
    failStep(draft, step, evaluated.failure);
    return;
  }
  const { bytes } = evaluated.value;
  const unfit = tooLarge(state, step.path, "the message", bytes.length);
  if (unfit !== undefined) {
    failStep(draft, step, unfit);
    return;
  }
  yieldMessage(draft, step.path, bytes);
  completeStep(draft, step, undefined);
}

/** One more message for the callers; step empty: the run's response. */
export function yieldMessage({ state, transitions }: Draft, step: string, bytes: Uint8Array): void {
  const { yieldsMax = 0, yieldsBytesMax = 0 } = state.started?.limits ?? {};
  const number = keepYield(state.yields, bytes, { messagesMax: yieldsMax, bytesMax: yieldsBytesMax });
  transitions.push({ kind: "yielded", step, number, message: bytes, atMs: state.nowMs });
}
