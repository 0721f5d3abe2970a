import type { Block as PlannedBlock, Step as PlannedStep } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Step } from "../../../proto/gen/sidestep/v1/workflow.ts";
import type { ValueType } from "../engine/expression/value.ts";
import type { Context } from "./context.ts";
import { compileExpression } from "./expression.ts";
import type { CompiledExpression } from "./expression.ts";
import { hide, save } from "./names.ts";
import type { SavedNames } from "./names.ts";
import { fieldOf } from "./place.ts";
import type { Place } from "./place.ts";

/** Where a sequence of steps stands. */
export interface Surround {
  /** Beginning of the names of its steps in paths; empty for the workflow's own. */
  readonly name: string;
  /** Something else may run at the same time: it stands in a branch, or in a pass of a for_each. */
  readonly inParallel: boolean;
  /** It stands in a catch: there is an error to go on with. */
  readonly inCatch: boolean;
  /** It undoes something. */
  readonly inCompensation: boolean;
}

/** A compiled sequence of steps. */
export interface CompiledSteps {
  readonly steps: readonly PlannedStep[];
  /** Nothing after it is ever reached. */
  readonly ends: boolean;
  /** The last step's result; undefined when it has none or may not have run. */
  readonly last: { readonly index: number; readonly type: ValueType } | undefined;
}

/** Compiles the field `step` of the message at `place`. */
export type StepsCompiler = (
  context: Context,
  steps: readonly Step[],
  place: Place,
  surround: Surround,
) => CompiledSteps;

/** One of the blocks of a step. */
export interface Arm {
  readonly steps: readonly Step[];
  readonly result: string;
  readonly place: Place;
  readonly name: string;
  /** Field of the expression that yields its value; "result" unless given. */
  readonly resultField?: string;
}

/** A compiled block. */
export interface CompiledBlock {
  readonly arm: Arm;
  readonly block: PlannedBlock;
  readonly ends: boolean;
  readonly result: CompiledExpression | undefined;
  readonly ids: readonly string[];
}

/** A compiled block that others beside it can't see into, and what is known of its steps at its end. */
export interface CompiledArm extends CompiledBlock {
  readonly namesAtEnd: SavedNames;
}

/** Compiles a block, whose steps stay readable. A result must be of the type `wanted` where that is given. */
export function compileBlock(
  context: Context,
  arm: Arm,
  surround: Omit<Surround, "name">,
  wanted: ValueType | undefined,
  compileSteps: StepsCompiler,
): CompiledBlock {
  const begun = context.finished.length;
  const steps = compileSteps(context, arm.steps, arm.place, { ...surround, name: arm.name });
  const result = compileResult(context, arm, steps.ends, wanted);
  const block = { steps: steps.steps, result: result?.expression };
  return { arm, block, ends: steps.ends, result, ids: context.finished.slice(begun) };
}

/** Nothing of the block can be read from here on, for `reason`. */
export function hideBlock(context: Context, { ids }: CompiledBlock, reason: string): SavedNames {
  const namesAtEnd = save(context.names, ids);
  hide(context.names, ids, reason);
  return namesAtEnd;
}

/** Compiles one arm; the next ones can't see its steps, for `reason`. */
export function compileArm(
  context: Context,
  arm: Arm,
  surround: Omit<Surround, "name">,
  wanted: ValueType | undefined,
  reason: string,
  compileSteps: StepsCompiler,
): CompiledArm {
  const compiled = compileBlock(context, arm, surround, wanted, compileSteps);
  return { ...compiled, namesAtEnd: hideBlock(context, compiled, reason) };
}

/** The type that the results of all arms have: undefined when there are none, or when they don't fit. */
export function sharedResult(context: Context, arms: readonly CompiledArm[]): ValueType | undefined {
  const first = arms.find((one) => one.arm.result !== "");
  if (first === undefined) return undefined;
  let complete = true;
  for (const one of arms) {
    if (one.arm.result !== "" || one.ends) continue;
    context.findings.add(
      "RESULT",
      one.arm.place,
      `${first.arm.place.path} has a result, this has none`,
      "give each a `result` of the same type, or none of them",
    );
    complete = false;
  }
  const type = complete ? first.result?.type : undefined;
  const isRedacted = arms.some((one) => one.result?.type.isRedacted === true);
  return type === undefined || !isRedacted ? type : { ...type, isRedacted };
}

/** Does any arm have a result. */
export function hasResults(arms: readonly CompiledArm[]): boolean {
  return arms.some((one) => one.arm.result !== "");
}

function compileResult(
  context: Context,
  arm: Arm,
  ends: boolean,
  wanted: ValueType | undefined,
): CompiledExpression | undefined {
  if (arm.result === "") return undefined;
  const place = fieldOf(arm.place, arm.resultField ?? "result");
  if (ends) {
    context.findings.add(
      "UNREACHABLE",
      place,
      "this result is never read: the steps before it always end the run",
      "leave it out",
    );
    return undefined;
  }
  return compileExpression(
    context,
    place,
    arm.result,
    wanted === undefined ? { kind: "any" } : { kind: "value", type: wanted },
    undefined,
    "kept",
  );
}
