import type { Registry } from "@bufbuild/protobuf";
import type { Bindings } from "./bindings.ts";
import type { Evaluated, Instant, KeptValue } from "./result.ts";

/** An expression ready to run; made once by loadExpression, used for as long as its plan is loaded. */
export interface Expression {
  readonly source: string;
  /** Spelling of the value type it yields: formatValueType. */
  readonly type: string;
  /** Variables it reads, sorted. */
  readonly reads: readonly string[];
  /** Step ids it asks for as `steps.<id>`, sorted. */
  readonly steps: readonly string[];
  /** Evaluates to the kept form; the doors below narrow it. */
  readonly evaluate: (bindings: Bindings, budget: number) => Evaluated<RawValue>;
}

/** A value before it is given out. */
export type RawValue =
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "timestamp"; readonly value: Instant }
  | { readonly kind: "kept"; readonly value: KeptValue };

/** Steps of comprehensions that one evaluation may take, unless configured otherwise. */
export const defaultBudget = 100_000;

/**
 * Loads CheckedExpression.bytes. The registry must hold CheckedExpression.types; nothing is checked again.
 * Throws when the bytes are not ours or a type is missing: a plan and its descriptors are stored together, so that is a bug.
 */
export function loadExpression(bytes: Uint8Array, registry: Registry): Expression {
  throw new Error(`not ours: ${bytes.length} bytes, ${String(registry.kind)}`);
}

/** Value of an expression that was checked as wanted bool. */
export function evaluateBool(expression: Expression, bindings: Bindings, budget = defaultBudget): Evaluated<boolean> {
  const result = expression.evaluate(bindings, budget);
  if (result.kind === "failed") return result;
  if (result.value.kind !== "bool") throw new Error(`${expression.source} yields ${expression.type}, a bool was asked for`);
  return { kind: "value", value: result.value.value };
}

/** Value of an expression that was checked as wanted string. */
export function evaluateString(expression: Expression, bindings: Bindings, budget = defaultBudget): Evaluated<string> {
  const result = expression.evaluate(bindings, budget);
  if (result.kind === "failed") return result;
  if (result.value.kind !== "string") throw new Error(`${expression.source} yields ${expression.type}, a string was asked for`);
  return { kind: "value", value: result.value.value };
}

/** Value of an expression that was checked as wanted timestamp. */
export function evaluateTimestamp(expression: Expression, bindings: Bindings, budget = defaultBudget): Evaluated<Instant> {
  const result = expression.evaluate(bindings, budget);
  if (result.kind === "failed") return result;
  if (result.value.kind !== "timestamp") throw new Error(`${expression.source} yields ${expression.type}, a timestamp was asked for`);
  return { kind: "value", value: result.value.value };
}

/**
 * Value of an expression that was checked as wanted value or any, in its kept form: for a message the bytes for the wire (fields in
 * number order, maps sorted by key), for anything else the form described at ValueType.
 */
export function evaluateKept(expression: Expression, bindings: Bindings, budget = defaultBudget): Evaluated<KeptValue> {
  const result = expression.evaluate(bindings, budget);
  if (result.kind === "failed") return result;
  if (result.value.kind !== "kept") throw new Error(`${expression.source} yields ${expression.type}, a kept value was asked for`);
  return { kind: "value", value: result.value.value };
}
