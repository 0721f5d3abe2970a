import type { Case as PlannedCase, Expression } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Switch } from "../../../proto/gen/sidestep/v1/workflow.ts";
import { sharedResult, compileArm, hasResults } from "./arms.ts";
import type { Arm, CompiledArm, StepsCompiler, Surround } from "./arms.ts";
import type { Context } from "./context.ts";
import { compileExpression } from "./expression.ts";
import type { CompiledKind } from "./kind.ts";
import { hide, makeConditional, restore } from "./names.ts";
import { elementOf, fieldOf } from "./place.ts";
import type { Place } from "./place.ts";

const otherCase = "it stands in another case of the switch";

/** Compiles a switch whose message stands at `place`. */
export function compileSwitch(
  context: Context,
  choice: Switch,
  place: Place,
  surround: Surround,
  compileSteps: StepsCompiler,
): CompiledKind {
  if (choice.case.length === 0) {
    context.findings.add("EMPTY_BLOCK", place, "the switch has no case", "add `case { when: '…' step { … } }`");
  }
  if (choice.case.length > context.limits.branchesMax) {
    const at = elementOf(place, "case", context.limits.branchesMax);
    const message = `${choice.case.length} cases, the limit is ${context.limits.branchesMax}`;
    context.findings.add("LIMIT", at, message, "put a switch into the default");
  }
  const arms: CompiledArm[] = [];
  const conditions: (Expression | undefined)[] = [];
  const add = (arm: Arm): void => {
    const wanted = arms.find((one) => one.result !== undefined)?.result?.type;
    arms.push(compileArm(context, arm, surround, wanted, otherCase, compileSteps));
  };
  for (const [index, one] of choice.case.entries()) {
    const at = elementOf(place, "case", index);
    conditions.push(compileCondition(context, one.when, at));
    add({ steps: one.step, result: one.result, place: at, name: `${surround.name}.case[${index}]` });
  }
  const fallback = choice.default;
  if (fallback !== undefined) {
    add({
      steps: fallback.step,
      result: fallback.result,
      place: fieldOf(place, "default"),
      name: `${surround.name}.default`,
    });
  }
  const result = resultOf(context, choice, arms, place);
  joinNames(context, arms, fallback !== undefined);
  const cases = conditions.map((when, index): PlannedCase => ({ when, block: arms[index]?.block }));
  return {
    kind: { $case: "switch", value: { cases, default: fallback === undefined ? undefined : arms.at(-1)?.block } },
    result,
    noResult: "a switch without `result`s has none",
    broken: hasResults(arms) && result === undefined,
    ends: fallback !== undefined && arms.every((one) => one.ends),
  };
}

function compileCondition(context: Context, when: string, place: Place): Expression | undefined {
  if (when === "") {
    context.findings.add(
      "MISSING",
      place,
      "the case has no `when`",
      "what runs when no case is true stands in `default { … }`",
    );
    return undefined;
  }
  return compileExpression(context, fieldOf(place, "when"), when, { kind: "bool" })?.expression;
}

function resultOf(
  context: Context,
  choice: Switch,
  arms: readonly CompiledArm[],
  place: Place,
): CompiledKind["result"] {
  const shared = sharedResult(context, arms);
  if (hasResults(arms) && choice.default === undefined) {
    const message = "the switch has no result when no case is true";
    context.findings.add("RESULT", place, message, "add `default { result: '…' }`, or leave the results out");
    return undefined;
  }
  return shared;
}

/** After the switch: steps of the only arm that gets here are certain, those of one among several may not have run. */
function joinNames(context: Context, arms: readonly CompiledArm[], hasDefault: boolean): void {
  const { names } = context;
  const arriving = arms.filter((one) => !one.ends);
  for (const one of arms) {
    if (one.ends) hide(names, one.ids, "its case always ends the run");
    else restore(names, one.namesAtEnd);
  }
  if (arriving.length === 1 && hasDefault) return;
  for (const one of arriving) makeConditional(names, one.ids, "it stands in a case of a switch");
}
