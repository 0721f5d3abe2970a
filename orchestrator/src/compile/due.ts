import type { Block as PlannedBlock, Expression } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Block } from "../../../proto/gen/sidestep/v1/workflow.ts";
import type { ValueType } from "../engine/expression/value.ts";
import { compileArm } from "./arms.ts";
import type { CompiledArm, StepsCompiler, Surround } from "./arms.ts";
import type { Context } from "./context.ts";
import { compileOptional } from "./expression.ts";
import type { CompiledKind } from "./kind.ts";
import { makeConditional, restore } from "./names.ts";
import { fieldOf } from "./place.ts";
import type { Place } from "./place.ts";
import { durationOr } from "./settings.ts";

/** How long a step waits for somebody, as a definition says it. */
export interface Due {
  readonly timeout: string;
  readonly deadline: string;
  readonly onTimeout: Block | undefined;
}

/** The same, compiled. */
export interface CompiledDue {
  readonly timeoutMs: number | undefined;
  readonly deadline: Expression | undefined;
  readonly onTimeout: PlannedBlock | undefined;
  /** What runs in place of what was waited for. */
  readonly arm: CompiledArm | undefined;
}

/** Compiles `timeout`, `deadline` and `on_timeout` of the message at `place`; `wanted` is the type of what is waited for. */
export function compileDue(
  context: Context,
  due: Due,
  place: Place,
  surround: Surround,
  wanted: ValueType | undefined,
  compileSteps: StepsCompiler,
): CompiledDue {
  const { findings, limits } = context;
  const timeoutMs = durationOr(undefined, due.timeout, fieldOf(place, "timeout"), findings, limits);
  const deadline = compileOptional(context, fieldOf(place, "deadline"), due.deadline, { kind: "timestamp" });
  const at = fieldOf(place, "on_timeout");
  if (due.onTimeout !== undefined && due.timeout === "" && due.deadline === "") {
    const hint = "add `timeout: \"24h\"` or `deadline: '…'`, or leave `on_timeout` out";
    findings.add("UNREACHABLE", at, "this never runs: the step waits without end", hint);
  }
  const arm = compileInstead(context, due.onTimeout, at, `${surround.name}.on_timeout`, surround, wanted, compileSteps);
  return { timeoutMs, deadline: deadline?.expression, onTimeout: arm?.block, arm };
}

/** Compiles a block that runs in place of what was waited for. */
export function compileInstead(
  context: Context,
  block: Block | undefined,
  place: Place,
  name: string,
  surround: Surround,
  wanted: ValueType | undefined,
  compileSteps: StepsCompiler,
): CompiledArm | undefined {
  if (block === undefined) return undefined;
  const arm = { steps: block.step, result: block.result, place, name };
  const compiled = compileArm(context, arm, surround, wanted, "it stands in a block that may not run", compileSteps);
  restore(context.names, compiled.namesAtEnd);
  makeConditional(context.names, compiled.ids, "it stands in a block that may not run");
  return compiled;
}

/** The result of a step that waits: nothing can be said about it when a block that takes its place comes to its end without one. */
export function awaitedResult(
  awaited: ValueType | undefined,
  instead: readonly (CompiledArm | undefined)[],
): Pick<CompiledKind, "result" | "noResult" | "broken"> {
  const without = instead.find((arm) => arm !== undefined && !arm.ends && arm.arm.result === "");
  if (without === undefined) return { result: awaited, noResult: "it is wrong", broken: awaited === undefined };
  const { place } = without.arm;
  const noResult = `its ${place.name} comes to its end without a \`result\` of that type`;
  return { result: undefined, noResult, broken: false };
}
