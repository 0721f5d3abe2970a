import type { Compensation as PlannedCompensation } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Block, Step } from "../../../proto/gen/sidestep/v1/workflow.ts";
import type { ValueType } from "../engine/expression/value.ts";
import { compileBlock, hideBlock } from "./arms.ts";
import type { StepsCompiler, Surround } from "./arms.ts";
import { compileCall } from "./call.ts";
import type { Context } from "./context.ts";
import { compileOptional } from "./expression.ts";
import { requireFeature } from "./feature.ts";
import { makeConditional } from "./names.ts";
import { fieldOf } from "./place.ts";
import type { Place } from "./place.ts";

/** What is compensated: a step that is compiled. */
export interface Compensated {
  readonly step: Step;
  readonly result: ValueType | undefined;
  /** Empty: it has none. */
  readonly id: string;
  /** Ids of the steps inside it. */
  readonly inside: readonly string[];
}

/**
 * Compiles a step's `compensate`. It sees what the step itself saw, and the step's own result under has(steps.<id>): it also runs
 * when the call may have been carried out and nobody knows with what result. An empty one says that there is nothing to undo.
 */
export function compileCompensation(
  context: Context,
  { step, result, id, inside }: Compensated,
  place: Place,
  surround: Surround,
  compileSteps: StepsCompiler,
): PlannedCompensation | undefined {
  const { compensate } = step;
  if (compensate === undefined) return undefined;
  const { findings, names } = context;
  const at = fieldOf(place, "compensate");
  if (surround.inCompensation) {
    findings.add("COMPENSATE", at, "this step undoes something, and is not undone itself", "leave `compensate` out");
    return undefined;
  }
  if (!isUndoable(step)) {
    const hint = "put `compensate` on the step that calls, or on a step with blocks";
    findings.add("COMPENSATE", at, `there is nothing to undo in a ${kindName(step)}`, hint);
    return undefined;
  }
  if (step.kind !== undefined && step.kind.$case !== "call") {
    requireFeature(context, "compensate of a step with blocks", at);
  }
  makeConditional(names, inside, "it stands inside the step that is undone");
  if (id !== "" && result === undefined) names.broken.add(id);
  if (id !== "" && result !== undefined) {
    names.variables.set(id, { kind: "conditional", type: result, reason: "its outcome may be unknown" });
    names.steps.set(id, { kind: "visible" });
  }
  const when = compileOptional(context, fieldOf(at, "when"), compensate.when, { kind: "bool" });
  switch (compensate.kind?.$case) {
    case "call": {
      const { call } = compileCall(context, compensate.kind.value, fieldOf(at, "call"));
      return { when: when?.expression, call, block: undefined };
    }
    case "block":
      return {
        when: when?.expression,
        call: undefined,
        block: compileUndo(context, compensate.kind.value, fieldOf(at, "block"), surround, compileSteps),
      };
    case undefined:
      if (compensate.when !== "") {
        const hint = "add `call { … }` or `block { … }`; an empty `compensate {}` says that there is nothing to undo";
        findings.add("MISSING", at, "`compensate` does nothing", hint);
      }
      return undefined;
  }
}

/** Its steps are numbered by themselves: they are none of the plan's own. */
function compileUndo(context: Context, block: Block, place: Place, surround: Surround, compileSteps: StepsCompiler) {
  const { findings } = context;
  requireFeature(context, "compensate by a block", place);
  if (block.step.length === 0) findings.add("EMPTY_BLOCK", place, "the block has no steps", "add `step { … }`");
  if (block.result !== "") {
    const hint = "leave it out: nobody reads what a compensation comes to";
    findings.add("RESULT", fieldOf(place, "result"), "a compensation has no result", hint);
  }
  const arm = { steps: block.step, result: "", place, name: `${surround.name}.compensate` };
  const { stepCount } = context;
  context.stepCount = 0;
  const inside = { inParallel: false, inCatch: false, inCompensation: true };
  const compiled = compileBlock(context, arm, inside, undefined, compileSteps);
  context.stepCount = stepCount;
  hideBlock(context, compiled, "it stands in a compensation");
  return compiled.block;
}

function isUndoable({ kind }: Step): boolean {
  switch (kind?.$case) {
    case "wait":
    case "fail":
    case "return":
    case "yield":
    case "compensateNow":
      return false;
    case "call":
    case "run":
    case "switch":
    case "parallel":
    case "forEach":
    case "loop":
    case "signal":
    case "approve":
    case "try":
    case "emit":
    case "let":
    case undefined:
      return true;
  }
}

function kindName({ kind }: Step): string {
  return kind?.$case === "compensateNow" ? "compensate_now" : (kind?.$case ?? "step");
}
