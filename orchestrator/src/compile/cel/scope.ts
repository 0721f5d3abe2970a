import type { ValueType } from "../../engine/expression/value.ts";

/** What an expression may know of a name. */
export type Variable =
  /** Always has a value here. */
  | { readonly kind: "certain"; readonly type: ValueType }
  /** May be read only where `has(steps.<name>)` holds. `reason` ends "it may not have run: …", as in "it has a `when`". */
  | { readonly kind: "conditional"; readonly type: ValueType; readonly reason: string }
  /** Exists, but not here. `reason` is a clause, as in "it comes later" or "a wait has no result". */
  | { readonly kind: "hidden"; readonly reason: string };

/** May `steps.<id>` be asked here. */
export type StepVisibility = { readonly kind: "visible" } | { readonly kind: "hidden"; readonly reason: string };

/** The names of the engine itself that stand in every expression of a running workflow. */
export type BuiltIn = "run" | "now" | "metadata";

/** The names an expression may use. */
export interface Scope {
  /** `input`, step ids, loop variables, `error`, `answer` …: each name that is a value kept as bytes. */
  readonly variables: ReadonlyMap<string, Variable>;
  /** Step ids that `steps.<id>` knows. */
  readonly steps: ReadonlyMap<string, StepVisibility>;
  /** Which built-in names exist here: none of run and now in a key, say. */
  readonly builtIns: ReadonlySet<BuiltIn>;
}
