import type { Step as PlannedStep } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { ValueType } from "../engine/expression/value.ts";

/** What a step does, compiled. */
export interface CompiledKind {
  /** Undefined when it is wrong. */
  readonly kind: PlannedStep["kind"];
  readonly result: ValueType | undefined;
  /** Why it has no result, where it has none: a clause. */
  readonly noResult: string;
  /** It would have a result, were it not wrong. */
  readonly broken: boolean;
  /** What comes after it is never reached. */
  readonly ends: boolean;
}

/** A kind that is wrong, and whose result nobody knows. */
export const brokenKind: CompiledKind = {
  kind: undefined,
  result: undefined,
  noResult: "it is wrong",
  broken: true,
  ends: false,
};
