import type { Step as PlannedStep } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Step } from "../../../proto/gen/sidestep/v1/workflow.ts";
import { formatValueType } from "../engine/expression/value.ts";
import type { ValueType } from "../engine/expression/value.ts";
import type { CompiledSteps, Surround } from "./arms.ts";
import { compileCall } from "./call.ts";
import { compileSwitch } from "./choice.ts";
import { compileCompensation } from "./compensation.ts";
import type { Context } from "./context.ts";
import { compileFail, compileReturn } from "./end.ts";
import { compileOptional } from "./expression.ts";
import { brokenKind } from "./kind.ts";
import type { CompiledKind } from "./kind.ts";
import { hide, makeConditional, reveal } from "./names.ts";
import { compileParallel } from "./parallel.ts";
import { elementOf, fieldOf } from "./place.ts";
import type { Place } from "./place.ts";
import { compileLet, compileWait } from "./simple.ts";

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
  if (step.lock !== "") {
    context.findings.add(
      "NOT_YET",
      fieldOf(place, "lock"),
      "`lock` is not supported yet",
      "let the service refuse what overlaps",
    );
  }
  const compiled = compileKind(context, step, place, surround);
  const compensate = compileCompensation(context, step, place, compiled.result, id);
  if (step.when !== "") makeConditional(names, finished.slice(begun), "the step around it has a `when`");
  if (id !== "") finish(context, id, step, compiled);
  const { result } = compiled;
  const planned: PlannedStep = {
    index,
    name: step.id === "" ? surround.name : step.id,
    id: step.id,
    title: step.title,
    when: when?.expression,
    result: result === undefined ? undefined : { name: formatValueType(result) },
    kind: compiled.kind,
    compensate,
    lock: undefined,
  };
  if (result !== undefined) addTypes(context, result);
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

function compileKind(context: Context, step: Step, place: Place, surround: Surround): CompiledKind {
  const { kind } = step;
  if (kind === undefined) {
    const kinds = "call, switch, parallel, wait, let, fail or return";
    context.findings.add("EMPTY_STEP", place, "the step does nothing", `add one of ${kinds}`);
    return brokenKind;
  }
  const at = fieldOf(place, fieldNames[kind.$case]);
  switch (kind.$case) {
    case "call": {
      const { call, response } = compileCall(context, kind.value, at);
      const planned = call === undefined ? undefined : ({ $case: "call", value: call } as const);
      return { ...brokenKind, kind: planned, result: response, broken: response === undefined };
    }
    case "switch":
      return compileSwitch(context, kind.value, at, surround, compileSteps);
    case "parallel":
      return compileParallel(context, kind.value, at, surround, compileSteps);
    case "wait":
      return compileWait(context, kind.value, at);
    case "let":
      return compileLet(context, kind.value, at);
    case "fail":
      return compileFail(context, kind.value, at);
    case "return":
      return compileReturn(context, kind.value, at, surround);
    case "run":
    case "forEach":
    case "loop":
    case "signal":
    case "approve":
    case "try":
    case "emit":
    case "yield":
    case "compensateNow":
      context.findings.add(
        "NOT_YET",
        at,
        `\`${fieldNames[kind.$case]}\` is not supported yet`,
        "this version knows call, switch, parallel, wait, let, fail and return",
      );
      return brokenKind;
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

function addTypes(context: Context, type: ValueType): void {
  switch (type.kind) {
    case "scalar":
      return;
    case "enum":
      context.types.add(type.enum.typeName);
      return;
    case "message":
      context.types.add(type.message.typeName);
      return;
    case "list":
      addTypes(context, type.element);
      return;
    case "map":
      addTypes(context, type.value);
  }
}
