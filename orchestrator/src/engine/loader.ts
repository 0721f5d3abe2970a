import type { Block, Expression as StoredExpression } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Expression } from "./expression/load.ts";
import type { BlockPlan, PlannedExpression, StepPlan } from "./plan.ts";

/** A plan being loaded. */
export interface Loader {
  /** By StepPlan.index. */
  readonly steps: StepPlan[];
  /** Variables whose bytes its expressions look at. */
  readonly read: Set<string>;
  readonly load: (stored: StoredExpression) => Expression;
  /** Index of the next step of a compensating block. */
  readonly undoing: { next: number };
  /** It loads such a block. */
  readonly isUndoing: boolean;
  readonly block: (loader: Loader, stored: Block) => BlockPlan;
}

/** An expression that may be left out. */
export function toExpression(loader: Loader, stored: StoredExpression | undefined): PlannedExpression | undefined {
  if (stored === undefined) return undefined;
  const expression = loader.load(stored);
  for (const name of expression.reads) loader.read.add(name);
  return { expression, place: stored.path, isRedacted: stored.redacted };
}

/** One whose value may go on without being looked at. */
export function toPassing(loader: Loader, stored: StoredExpression | undefined): PlannedExpression | undefined {
  if (stored === undefined) return undefined;
  const expression = loader.load(stored);
  if (expression.passes === undefined) for (const name of expression.reads) loader.read.add(name);
  return { expression, place: stored.path, isRedacted: stored.redacted };
}

/** An expression that the compiler always writes. */
export function toRequired(loader: Loader, stored: StoredExpression | undefined, name: string): PlannedExpression {
  return required(toExpression(loader, stored), name);
}

/** Throws where a plan lacks what the compiler always writes. */
export function required<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new Error(`the plan is not the compiler's: ${name} is missing`);
  return value;
}
