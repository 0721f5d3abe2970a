import type { Expression, Step as PlannedStep } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Step } from "../../../proto/gen/sidestep/v1/workflow.ts";
import { formatValueType } from "../engine/expression/value.ts";
import type { ValueType } from "../engine/expression/value.ts";
import type { CompiledSteps, Surround } from "./arms.ts";
import { compileApproval } from "./approval.ts";
import { compileTry } from "./attempt.ts";
import { compileCall } from "./call.ts";
import { compileChildRun } from "./childRun.ts";
import { compileSwitch } from "./choice.ts";
import { compileCompensation } from "./compensation.ts";
import type { Context } from "./context.ts";
import { compileEmit } from "./emit.ts";
import { compileCompensateNow, compileFail, compileReturn, compileYield } from "./end.ts";
import { compileExpression, compileOptional } from "./expression.ts";
import { requireFeature } from "./feature.ts";
import { compileForEach } from "./forEach.ts";
import { brokenKind } from "./kind.ts";
import type { CompiledKind } from "./kind.ts";
import { compileLoop } from "./loop.ts";
import { addTypes } from "./messageType.ts";
import { hide, makeConditional, restore, reveal, save } from "./names.ts";
import { compileParallel } from "./parallel.ts";
import { elementOf, fieldOf } from "./place.ts";
import type { Place } from "./place.ts";
import { compileLet, compileWait } from "./simple.ts";
import { compileWaitSignal } from "./waitSignal.ts";

/** A compiled step; `step` is undefined when it is wrong. */
interface CompiledStep {
  readonly step: PlannedStep | undefined;
  readonly index: number;
  /** Its result, where it is sure to have one. */
  readonly certain: ValueType | undefined;
  readonly ends: boolean;
}

/** Compiles the field `step` of the message at `place`: steps that run one after the other. */
export function compileSteps(
  context: Context,
  steps: readonly Step[],
  place: Place,
  surround: Surround,
): CompiledSteps {
  const planned: PlannedStep[] = [];
  let last: CompiledStep | undefined;
  for (const [index, step] of steps.entries()) {
    const at = elementOf(place, "step", index);
    if (last?.ends === true) {
      const before = elementOf(place, "step", index - 1).path;
      context.findings.add("UNREACHABLE", at, "this step is never reached", `${before} always ends the run`);
      break;
    }
    const name = surround.name === "" ? `step[${index}]` : `${surround.name}.step[${index}]`;
    last = compileStep(context, step, at, { ...surround, name });
    if (last.step !== undefined) planned.push(last.step);
  }
  const result = last?.certain;
  return {
    steps: planned,
    ends: last?.ends ?? false,
    last: last === undefined || result === undefined ? undefined : { index: last.index, type: result },
  };
}

function compileStep(context: Context, step: Step, place: Place, surround: Surround): CompiledStep {
  const { names, finished } = context;
  const index = context.stepCount++;
  const begun = finished.length;
  const id = context.ids.get(step.id) === place.path ? step.id : "";
  if (id !== "") hide(names, [id], "it ends only after this");
  const when = compileOptional(context, fieldOf(place, "when"), step.when, { kind: "bool" });
  const lock = compileLock(context, step, place);
  const compiled = compileKind(context, step, place, surround, id);
  const inside = finished.slice(begun);
  const saved = save(names, inside);
  const undone = { step, result: compiled.result, id, inside };
  const compensate = compileCompensation(context, undone, place, surround, compileSteps);
  restore(names, saved);
  if (step.when !== "") makeConditional(names, finished.slice(begun), "the step around it has a `when`");
  if (id !== "") finish(context, id, step, compiled);
  const { result } = compiled;
  const planned: PlannedStep = {
    index,
    name: step.id === "" ? surround.name : step.id,
    id: step.id,
    title: step.title,
    when: when?.expression,
    result: result === undefined ? undefined : { name: formatValueType(result), redacted: result.isRedacted ?? false },
    kind: compiled.kind,
    compensate,
    lock,
  };
  if (result !== undefined) addTypes(context.types, result);
  return {
    step: compiled.kind === undefined ? undefined : planned,
    index,
    certain: step.when === "" ? result : undefined,
    ends: compiled.ends && step.when === "",
  };
}

/** From here on the step's result can be read, as far as it is sure to have one. */
function finish(context: Context, id: string, step: Step, compiled: CompiledKind): void {
  const { names, finished } = context;
  if (compiled.broken) names.broken.add(id);
  reveal(names, id, compiled.result, compiled.noResult);
  if (step.when !== "") makeConditional(names, [id], "it has a `when`");
  finished.push(id);
}

function compileLock(context: Context, { lock }: Step, place: Place): Expression | undefined {
  if (lock === "") return undefined;
  const at = fieldOf(place, "lock");
  requireFeature(context, "lock", at);
  if (/^\s*(""|'')\s*$/.test(lock)) {
    context.findings.add(
      "MISSING",
      at,
      "the lock's name is always empty",
      "name what must not overlap, or leave it out",
    );
    return undefined;
  }
  return compileExpression(context, at, lock, { kind: "string" })?.expression;
}

function compileKind(context: Context, step: Step, place: Place, surround: Surround, id: string): CompiledKind {
  const { kind } = step;
  if (kind === undefined) {
    const hint = "add `call { … }` or another kind; docs/workflows.md lists them";
    context.findings.add("EMPTY_STEP", place, "the step does nothing", hint);
    return brokenKind;
  }
  const at = fieldOf(place, fieldNames[kind.$case]);
  switch (kind.$case) {
    case "call": {
      const { call, response } = compileCall(context, kind.value, at);
      const planned = call === undefined ? undefined : ({ $case: "call", value: call } as const);
      return { ...brokenKind, kind: planned, result: response, broken: response === undefined };
    }
    case "run":
      return compileChildRun(context, kind.value, at);
    case "switch":
      return compileSwitch(context, kind.value, at, surround, compileSteps);
    case "parallel":
      return compileParallel(context, kind.value, at, surround, compileSteps);
    case "forEach":
      return compileForEach(context, kind.value, at, surround, compileSteps);
    case "loop":
      return compileLoop(context, kind.value, at, surround, id, compileSteps);
    case "wait":
      return compileWait(context, kind.value, at);
    case "signal":
      return compileWaitSignal(context, kind.value, at, surround, compileSteps);
    case "approve":
      return compileApproval(context, kind.value, at, surround, compileSteps);
    case "try":
      return compileTry(context, kind.value, at, surround, compileSteps);
    case "emit":
      return compileEmit(context, kind.value, at);
    case "let":
      return compileLet(context, kind.value, at);
    case "fail":
      return compileFail(context, kind.value, at, surround);
    case "return":
      return compileReturn(context, kind.value, at, surround);
    case "yield":
      return compileYield(context, kind.value, at);
    case "compensateNow":
      return compileCompensateNow(context, at, surround);
  }
}

/** Field of Step by kind. */
const fieldNames: Readonly<Record<NonNullable<Step["kind"]>["$case"], string>> = {
  call: "call",
  run: "run",
  switch: "switch",
  parallel: "parallel",
  forEach: "for_each",
  loop: "loop",
  wait: "wait",
  signal: "signal",
  approve: "approve",
  try: "try",
  emit: "emit",
  let: "let",
  fail: "fail",
  return: "return",
  yield: "yield",
  compensateNow: "compensate_now",
};
