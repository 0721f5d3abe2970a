import type { Parallel } from "../../../proto/gen/sidestep/v1/workflow.ts";
import { sharedResult, compileArm, hasResults } from "./arms.ts";
import type { CompiledArm, StepsCompiler, Surround } from "./arms.ts";
import type { Context } from "./context.ts";
import { requireFeature } from "./feature.ts";
import type { CompiledKind } from "./kind.ts";
import { listOf } from "./listOf.ts";
import { makeConditional, restore } from "./names.ts";
import { elementOf, fieldOf } from "./place.ts";
import type { Place } from "./place.ts";

const otherBranch = "it stands in another branch of the parallel step";
const givenUp = "its branch may have been given up";

/** Compiles a parallel step whose message stands at `place`. */
export function compileParallel(
  context: Context,
  parallel: Parallel,
  place: Place,
  surround: Surround,
  compileSteps: StepsCompiler,
): CompiledKind {
  const { findings, limits } = context;
  const count = parallel.branch.length;
  if (parallel.need > 0) requireFeature(context, "need", fieldOf(place, "need"));
  if (parallel.need > count && count > 0) {
    const message = `need is ${parallel.need}, but there ${count === 1 ? "is 1 branch" : `are ${count} branches`}`;
    findings.add("NEED", fieldOf(place, "need"), message, "leave it out: all branches must succeed then");
  }
  if (parallel.branch.length === 0) {
    findings.add("EMPTY_BLOCK", place, "the parallel step has no branch", "add `branch { step { … } }`");
  }
  if (parallel.branch.length > limits.branchesMax) {
    const at = elementOf(place, "branch", limits.branchesMax);
    findings.add(
      "LIMIT",
      at,
      `${parallel.branch.length} branches, the limit is ${limits.branchesMax}`,
      "put steps one after the other",
    );
  }
  const arms: CompiledArm[] = [];
  for (const [index, branch] of parallel.branch.entries()) {
    const at = elementOf(place, "branch", index);
    if (branch.step.length === 0)
      findings.add("EMPTY_BLOCK", at, "the branch has no steps", "add one, or leave the branch out");
    const wanted = arms.find((one) => one.result !== undefined)?.result?.type;
    const arm = { steps: branch.step, result: branch.result, place: at, name: `${surround.name}.branch[${index}]` };
    arms.push(compileArm(context, arm, { ...surround, inParallel: true }, wanted, otherBranch, compileSteps));
  }
  const isPartial = parallel.need > 0 && parallel.need < count;
  for (const one of arms) {
    restore(context.names, one.namesAtEnd);
    if (isPartial) makeConditional(context.names, one.ids, givenUp);
  }
  const shared = sharedResult(context, arms);
  const first = arms.find((one) => one.arm.result !== "")?.arm.place;
  const result =
    parallel.need === 1
      ? shared
      : listOf(
          context,
          shared,
          first === undefined ? undefined : fieldOf(first, "result"),
          "the step's result is the list of its branches'",
        );
  const needed = parallel.need === 0 ? count : Math.min(parallel.need, count);
  return {
    kind: { $case: "parallel", value: { branches: arms.map((one) => one.block), need: parallel.need } },
    result,
    noResult: "a parallel step without `result`s has none",
    broken: hasResults(arms) && result === undefined,
    ends: arms.filter((one) => !one.ends).length < needed,
  };
}
