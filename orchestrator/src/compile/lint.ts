import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import type { DescMethod } from "@bufbuild/protobuf";
import { OnDoubt_Policy } from "../../../proto/gen/sidestep/v1/workflow.ts";
import type { Call, Step, Workflow } from "../../../proto/gen/sidestep/v1/workflow.ts";
import type { Context } from "./context.ts";
import { showDuration } from "../engine/duration.ts";
import { lintArms } from "./lintArms.ts";
import { blocksOf } from "./outline.ts";
import { elementOf, fieldOf } from "./place.ts";
import type { Place } from "./place.ts";
import { mergeSettings } from "./settings.ts";
import { newFindings } from "./findings.ts";

/** What may be meant, but probably is not. It is looked for after the steps are compiled; each lint has a way to say that it is meant. */
export function lintWorkflow(
  context: Context,
  definition: Workflow,
  place: Place,
  timeoutMs: number | undefined,
): void {
  const all = stepsIn(definition.step, place);
  const hasCompensations = all.some(({ step }) => step.compensate?.kind !== undefined);
  if (hasCompensations) lintUndone(context, definition.step, place, false);
  for (const { step, place: at } of all) {
    lintArms(context, step, at);
    for (const { call, place: callPlace, isUndo } of callsOf(step, at)) {
      lintDoubt(context, call, callPlace);
      if (!isUndo) lintDeadline(context, call, callPlace, timeoutMs);
    }
    lintUnused(context, definition, step, at);
  }
}

interface Found {
  readonly step: Step;
  readonly place: Place;
}

function stepsIn(steps: readonly Step[], place: Place): readonly Found[] {
  return steps.flatMap((step, index) => {
    const at = elementOf(place, "step", index);
    return [{ step, place: at }, ...blocksOf(step, at).flatMap((block) => stepsIn(block.steps, block.place))];
  });
}

/** The calls of a step itself. */
function callsOf(
  step: Step,
  place: Place,
): readonly { readonly call: Call; readonly place: Place; readonly isUndo: boolean }[] {
  const undo = step.compensate?.kind;
  return [
    ...(step.kind?.$case === "call" ? [{ call: step.kind.value, place: fieldOf(place, "call"), isUndo: false }] : []),
    ...(undo?.$case === "call"
      ? [{ call: undo.value, place: fieldOf(fieldOf(place, "compensate"), "call"), isUndo: true }]
      : []),
  ];
}

function methodOf({ registry }: Context, name: string): DescMethod | undefined {
  const [service = "", rpc = ""] = name.split("/");
  return registry.getService(service)?.methods.find((one) => one.name === rpc);
}

/** An effect that stays when a later step fails, in a workflow that undoes others. `mayFail`: something after the block may fail. */
function lintUndone(context: Context, steps: readonly Step[], place: Place, mayFail: boolean): void {
  let fails = mayFail;
  for (let index = steps.length - 1; index >= 0; index--) {
    const step = steps[index];
    if (step === undefined) continue;
    const at = elementOf(place, "step", index);
    if (fails && isEffect(context, step) && step.compensate === undefined) {
      const hint = "add `compensate`; an empty one, `compensate {}`, says that there is nothing to undo";
      context.findings.add(
        "UNCOMPENSATED",
        fieldOf(at, "call"),
        "this stays when a later step fails: nothing undoes it",
        hint,
      );
    }
    const blocks = step.compensate === undefined ? blocksOf(step, at) : [];
    const repeats = step.kind?.$case === "forEach" || step.kind?.$case === "loop" || step.kind?.$case === "parallel";
    for (const block of blocks) {
      const others = repeats && blocks.some((one) => canAnyFail(one.steps, one.place));
      lintUndone(context, block.steps, block.place, fails || others);
    }
    fails ||= canFail(step, at);
  }
}

function isEffect(context: Context, { kind }: Step): boolean {
  if (kind?.$case !== "call") return false;
  const method = methodOf(context, kind.value.method);
  return method !== undefined && method.idempotency !== MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
}

function canFail(step: Step, place: Place): boolean {
  switch (step.kind?.$case) {
    case "call":
    case "run":
    case "fail":
    case "signal":
    case "approve":
      return true;
    case "let":
    case "wait":
    case "emit":
    case "yield":
    case "return":
    case "compensateNow":
    case undefined:
      return false;
    case "switch":
    case "parallel":
    case "forEach":
    case "loop":
    case "try":
      return blocksOf({ ...step, compensate: undefined }, place).some((block) => canAnyFail(block.steps, block.place));
  }
}

function canAnyFail(steps: readonly Step[], place: Place): boolean {
  return steps.some((step, index) => canFail(step, elementOf(place, "step", index)));
}

/** The outcome of an effect may become unknown, and nobody has said what is done then. */
function lintDoubt(context: Context, call: Call, place: Place): void {
  const method = methodOf(context, call.method);
  if (method?.idempotency !== MethodOptions_IdempotencyLevel.IDEMPOTENCY_UNKNOWN) return;
  if (call.onDoubt !== OnDoubt_Policy.POLICY_UNSPECIFIED || context.settings.isOnDoubtSet) return;
  const hint =
    "add `on_doubt` here or to `defaults`: RETRY is what happens without it; or give the method an idempotency_level";
  const message = `nobody says what is done when the outcome of '${call.method}' is unknown: it is called again`;
  context.findings.add("DOUBTFUL_EFFECT", fieldOf(place, "method"), message, hint);
}

/** All attempts together take longer than the run may. */
function lintDeadline(context: Context, call: Call, place: Place, runMs: number | undefined): void {
  if (runMs === undefined || call.stepTimeout !== "") return;
  const { retry, timeoutMs } = mergeSettings(context.settings, call, place, newFindings(0), context.limits);
  const wholeMs = retry.attemptsMax * timeoutMs;
  if (wholeMs <= runMs) return;
  const message = `${retry.attemptsMax} attempts of ${showDuration(timeoutMs)} may take longer than the run's ${showDuration(runMs)}`;
  const hint = "lower `timeout` or `max_attempts`, or add a `step_timeout`: it says that the step may be cut short";
  context.findings.add("OVER_DEADLINE", place, message, hint);
}

/** A question without an effect whose answer nobody reads. */
function lintUnused(context: Context, definition: Workflow, step: Step, place: Place): void {
  if (step.kind?.$case !== "call" || step.id === "" || context.read.has(step.id)) return;
  if (definition.output === "" && definition.step.at(-1) === step) return;
  const method = methodOf(context, step.kind.value.method);
  if (method?.idempotency !== MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS) return;
  const hint = "leave the step out, or only its id: then it is known to be called for its failure alone";
  const message = `nobody reads '${step.id}', and '${step.kind.value.method}' has no side effects`;
  context.findings.add("UNUSED_RESULT", fieldOf(place, "id"), message, hint);
}
