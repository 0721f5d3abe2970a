import type { Catch as PlannedCatch } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Block, Catch, Try } from "../../../proto/gen/sidestep/v1/workflow.ts";
import { codeName } from "../../../proto/wire/status.ts";
import { compileArm, compileBlock, hasResults, sharedResult } from "./arms.ts";
import type { CompiledArm, CompiledBlock, StepsCompiler, Surround } from "./arms.ts";
import type { Holds, Variable } from "./cel/scope.ts";
import type { Context } from "./context.ts";
import { compileOptional } from "./expression.ts";
import { requireFeature } from "./feature.ts";
import type { CompiledKind } from "./kind.ts";
import { engineType, resolveMessage } from "./messageType.ts";
import { hide, makeConditional, restore, save, withVariables } from "./names.ts";
import { elementOf, fieldOf } from "./place.ts";
import type { Place } from "./place.ts";

const inBody = "it stands in a try that may have failed before";
const inCatch = "it stands in a catch";

/** Compiles a `try` whose message stands at `place`. */
export function compileTry(
  context: Context,
  attempt: Try,
  place: Place,
  surround: Surround,
  compileSteps: StepsCompiler,
): CompiledKind {
  const { findings, limits, names } = context;
  requireFeature(context, "try", place);
  if (attempt.step.length === 0) findings.add("EMPTY_BLOCK", place, "the try has no steps", "add `step { … }`");
  if (attempt.catch.length > limits.branchesMax) {
    const at = elementOf(place, "catch", limits.branchesMax);
    findings.add("LIMIT", at, `${attempt.catch.length} catches, the limit is ${limits.branchesMax}`, "leave some out");
  }
  const body = compileArm(
    context,
    { steps: attempt.step, result: attempt.result, place, name: surround.name },
    surround,
    undefined,
    inBody,
    compileSteps,
  );
  restore(names, body.namesAtEnd);
  makeConditional(names, body.ids, inBody);
  const arms = [body];
  const catches: PlannedCatch[] = [];
  let takesAll: string | undefined;
  for (const [index, one] of attempt.catch.entries()) {
    const at = elementOf(place, "catch", index);
    if (takesAll !== undefined) {
      findings.add("UNREACHABLE", at, "this catch is never reached", `${takesAll} takes every error: put it last`);
    }
    const { arm, planned } = compileCatch(
      context,
      one,
      at,
      arms,
      `${surround.name}.catch[${index}]`,
      surround,
      compileSteps,
    );
    arms.push(arm);
    catches.push(planned);
    if (takesEverything(one)) takesAll ??= at.path;
  }
  const result = sharedResult(context, arms);
  joinNames(context, body, arms);
  const last = compileFinally(
    context,
    attempt.finally,
    arms.flatMap(({ ids }) => ids),
    fieldOf(place, "finally"),
    surround,
    compileSteps,
  );
  return {
    kind: { $case: "try", value: { body: body.block, catches, finally: last?.block } },
    result,
    noResult: "a try without `result` has none",
    broken: hasResults(arms) && result === undefined,
    ends: arms.every((one) => one.ends) || last?.ends === true,
  };
}

function compileCatch(
  context: Context,
  one: Catch,
  place: Place,
  before: readonly CompiledArm[],
  name: string,
  surround: Surround,
  compileSteps: StepsCompiler,
): { readonly arm: CompiledArm; readonly planned: PlannedCatch } {
  const codes = catchCodes(context, one.code, place);
  const detail =
    one.detailType === ""
      ? undefined
      : resolveMessage(context, one.detailType, fieldOf(place, "detail_type"), "a detail is a message");
  const holds: Holds | undefined = detail === undefined ? undefined : new Map([["detail", detail]]);
  const type = engineType(context, "Error");
  const error: Variable =
    type === undefined
      ? { kind: "hidden", reason: "its type is not known" }
      : { kind: "certain", type, ...(holds === undefined ? {} : { holds }) };
  const wanted = before.find((it) => it.result !== undefined)?.result?.type;
  return withVariables(context.names, [["error", error]], () => {
    const when = compileOptional(context, fieldOf(place, "when"), one.when, { kind: "bool" });
    const arm = compileArm(
      context,
      { steps: one.step, result: one.result, place, name },
      { ...surround, inCatch: true },
      wanted,
      inCatch,
      compileSteps,
    );
    const planned = {
      codes,
      reason: one.reason,
      domain: one.domain,
      detailType: detail?.typeName ?? "",
      when: when?.expression,
      block: arm.block,
    };
    return { arm, planned };
  });
}

function catchCodes({ findings }: Context, given: readonly number[], place: Place): readonly number[] {
  const seen = new Set<number>();
  for (const [index, code] of given.entries()) {
    const at = elementOf(place, "code", index);
    if (code === 0)
      findings.add("STATUS_CODE", at, "OK is not a failure, it can't be caught", "name the codes that are");
    else if (code < 0 || code > 16) {
      const hint = "codes go from 1 (CANCELLED) to 16 (UNAUTHENTICATED)";
      findings.add("STATUS_CODE", at, `${code} is not a status code`, hint);
    } else if (seen.has(code)) findings.add("STATUS_CODE", at, `${codeName(code)} stands here twice`, "leave one out");
    seen.add(code);
  }
  return [...seen].toSorted((a, b) => a - b);
}

function takesEverything({ code, reason, domain, detailType, when }: Catch): boolean {
  return (
    code.length === 0 && reason === "" && domain === "" && detailType === "" && when.trim().replace("true", "") === ""
  );
}

/** After the try: steps of the only block that gets here are certain, others may not have run. */
function joinNames({ names }: Context, body: CompiledArm, arms: readonly CompiledArm[]): void {
  const arriving = arms.filter((one) => !one.ends);
  const [only] = arriving;
  for (const one of arms) {
    if (one.ends && one !== body) {
      hide(names, one.ids, "its catch always ends the run");
      continue;
    }
    restore(names, one.namesAtEnd);
    if (arriving.length !== 1 || only !== one) makeConditional(names, one.ids, one === body ? inBody : inCatch);
  }
}

/** It runs whatever came of the rest: nothing of that, `before`, is certain there. */
function compileFinally(
  context: Context,
  block: Block | undefined,
  before: readonly string[],
  place: Place,
  surround: Surround,
  compileSteps: StepsCompiler,
): CompiledBlock | undefined {
  if (block === undefined) return undefined;
  if (block.result !== "") {
    const hint = "the body and the catches have one";
    context.findings.add("RESULT", fieldOf(place, "result"), "`finally` has no result", hint);
  }
  const { names } = context;
  const after = save(names, before);
  makeConditional(names, before, inBody);
  const arm = { steps: block.step, result: "", place, name: `${surround.name}.finally` };
  const compiled = compileBlock(context, arm, surround, undefined, compileSteps);
  restore(names, after);
  return compiled;
}
