import type { EvaluatedExpression } from "../../../proto/gen/sidestep/v1/step_details.ts";
import { code } from "../../../proto/wire/status.ts";
import { toJsonText } from "./keptJson.ts";
import type { LiveStep, LoopProgress } from "./live.ts";
import type { LoadedPlan, LoopPlan, PlannedExpression } from "./plan.ts";
import { shownBytes } from "./redact.ts";

/** What a loop has come to: what `while` and `until` gave last, and the values that it carries from its last whole pass on; none before there was one. */
export function describeLoop({ registry }: LoadedPlan, step: LiveStep): readonly EvaluatedExpression[] {
  const { action } = step.plan;
  const progress = step.inner?.progress;
  if (action.kind !== "loop" || progress?.kind !== "loop") return [];
  const { loop } = action;
  const { whileGave, untilGave } = testsOf(loop, step, progress);
  const found = [toTest("while", loop.while, whileGave), toTest("until", loop.until, untilGave)];
  if (wholePasses(step, progress) > 0)
    for (const [at, { name, next }] of loop.carries.entries()) {
      const value = progress.carries[at];
      if (value === undefined) continue;
      const blank = toBlank(`carry ${name} next`, next);
      const { type } = value;
      const json = (): string => toJsonText({ type, bytes: shownBytes(registry, type, value.bytes) }, registry);
      found.push(next.isRedacted ? { ...blank, hidden: true } : { ...blank, json: json() });
    }
  return found.filter((one) => one !== undefined);
}

/** Passes that have come to their end. */
function wholePasses(step: LiveStep, { passes }: LoopProgress): number {
  const isWithin = (step.inner?.frames.size ?? 0) > 0 || !["waiting", "completed"].includes(step.state.kind);
  return isWithin && !isAtLimit(step) ? Math.max(0, passes - 1) : passes;
}

/** It has made all the passes that it may make. */
function isAtLimit({ state, path }: LiveStep): boolean {
  return (
    state.kind === "failed" && state.failure.step === path && state.failure.status.code === code.RESOURCE_EXHAUSTED
  );
}

/** Undefined: it was not asked, or its answer is not known any more. */
function testsOf(
  loop: LoopPlan,
  step: LiveStep,
  progress: LoopProgress,
): { readonly whileGave: boolean | undefined; readonly untilGave: boolean | undefined } {
  const isOver = step.state.kind === "completed";
  const hasFailed = step.state.kind === "failed" && !isAtLimit(step);
  const whole = wholePasses(step, progress);
  // A loop that has both ends by either.
  const isEither = isOver && loop.while !== undefined && loop.until !== undefined;
  return {
    whileGave: hasFailed || isEither ? undefined : !isOver,
    untilGave: hasFailed || isEither || whole === 0 ? undefined : isOver,
  };
}

function toTest(
  name: string,
  planned: PlannedExpression | undefined,
  gave: boolean | undefined,
): EvaluatedExpression | undefined {
  if (planned === undefined || gave === undefined) return undefined;
  const blank = toBlank(name, planned);
  return planned.isRedacted ? { ...blank, hidden: true } : { ...blank, json: String(gave) };
}

function toBlank(name: string, { expression }: PlannedExpression): EvaluatedExpression {
  return { name, text: expression.source, json: "", error: "", hidden: false };
}
