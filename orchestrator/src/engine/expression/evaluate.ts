import type { Bindings } from "./bindings.ts";
import type { Expression } from "./load.ts";
import type { Evaluated, Instant, KeptValue } from "./result.ts";

/** Steps of comprehensions that one evaluation may take, unless configured otherwise. */
export const defaultBudget = 100_000;

/** Value of an expression that was checked as wanted bool. */
export function evaluateBool(expression: Expression, bindings: Bindings, budget = defaultBudget): Evaluated<boolean> {
  const result = expression.evaluate(bindings, budget);
  if (result.kind === "failed") return result;
  if (result.value.kind !== "bool")
    throw new Error(`${expression.source} yields ${expression.type}, a bool was asked for`);
  return { kind: "value", value: result.value.value };
}

/** Value of an expression that was checked as wanted string. */
export function evaluateString(expression: Expression, bindings: Bindings, budget = defaultBudget): Evaluated<string> {
  const result = expression.evaluate(bindings, budget);
  if (result.kind === "failed") return result;
  if (result.value.kind !== "string")
    throw new Error(`${expression.source} yields ${expression.type}, a string was asked for`);
  return { kind: "value", value: result.value.value };
}

/** Value of an expression that was checked as wanted timestamp. */
export function evaluateTimestamp(
  expression: Expression,
  bindings: Bindings,
  budget = defaultBudget,
): Evaluated<Instant> {
  const result = expression.evaluate(bindings, budget);
  if (result.kind === "failed") return result;
  if (result.value.kind !== "timestamp")
    throw new Error(`${expression.source} yields ${expression.type}, a timestamp was asked for`);
  return { kind: "value", value: result.value.value };
}

/**
 * Value of an expression that was checked as wanted value or any, in its kept form: for a message the bytes for the wire (fields in
 * number order, maps sorted by key), for anything else the form described at ValueType.
 */
export function evaluateKept(expression: Expression, bindings: Bindings, budget = defaultBudget): Evaluated<KeptValue> {
  const result = expression.evaluate(bindings, budget);
  if (result.kind === "failed") return result;
  if (result.value.kind !== "kept")
    throw new Error(`${expression.source} yields ${expression.type}, a kept value was asked for`);
  return { kind: "value", value: result.value.value };
}
