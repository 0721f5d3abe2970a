import type { Parallel } from "../../../proto/gen/sidestep/v1/workflow.ts";
import type { ValueType } from "../engine/expression/value.ts";
import { sharedResult, compileArm, hasResults } from "./arms.ts";
import type { CompiledArm, StepsCompiler, Surround } from "./arms.ts";
import type { Context } from "./context.ts";
import type { CompiledKind } from "./kind.ts";
import { restore } from "./names.ts";
import { elementOf, fieldOf } from "./place.ts";
import type { Place } from "./place.ts";

const otherBranch = "it stands in another branch of the parallel step";

/** Compiles a parallel step whose message stands at `place`. */
export function compileParallel(
  context: Context,
  parallel: Parallel,
  place: Place,
  surround: Surround,
  compileSteps: StepsCompiler,
): CompiledKind {
  const { findings, limits } = context;
  if (parallel.need > 0) {
    findings.add(
      "NOT_YET",
      fieldOf(place, "need"),
      "`need` is not supported yet",
      "leave it out: all branches must succeed then",
    );
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
    arms.push(compileArm(context, arm, true, wanted, otherBranch, compileSteps));
  }
  for (const one of arms) restore(context.names, one.namesAtEnd);
  const result = listOfResults(context, arms);
  return {
    kind: { $case: "parallel", value: { branches: arms.map((one) => one.block), need: 0 } },
    result,
    noResult: "a parallel step without `result`s has none",
    broken: hasResults(arms) && result === undefined,
    ends: arms.some((one) => one.ends),
  };
}

function listOfResults(context: Context, arms: readonly CompiledArm[]): ValueType | undefined {
  const element = sharedResult(context, arms);
  if (element === undefined) return undefined;
  if (element.kind === "list" || element.kind === "map") {
    const first = arms.find((one) => one.arm.result !== "")?.arm.place;
    const message = `the step's result is the list of its branches', and a list can't hold a ${element.kind}`;
    context.findings.add(
      "RESULT",
      first === undefined ? undefined : fieldOf(first, "result"),
      message,
      "put it into a message",
    );
    return undefined;
  }
  return { kind: "list", element };
}
