import type { DescMessage } from "@bufbuild/protobuf";
import type { ValueType } from "../../engine/expression/value.ts";

/**
 * What the fields of type google.protobuf.Any of a variable hold, by the field's name: `error.detail` in a catch with a detail_type. A
 * selection of such a field is that message, opened; when it holds another one at run time, or nothing, the evaluation fails there. Presence
 * is that of the field: has(error.detail), and a bare selection in a mapping copies it.
 */
export type Holds = ReadonlyMap<string, DescMessage>;

/**
 * What an expression may know of a name. The names are the definition's: step ids, loop variables and carries, and where the engine gives them
 * a value also `input`, `query`, `event`, `answer`, `decision`, `error`, `index` and `iteration` (reserved.ts keeps step ids off those). Only
 * steps, run, now and metadata are no variables.
 */
export type Variable =
  /** Always has a value here. */
  | { readonly kind: "certain"; readonly type: ValueType; readonly holds?: Holds }
  /** May be read only where `has(steps.<name>)` holds. `reason` ends "it may not have run: …", as in "it has a `when`". */
  | { readonly kind: "conditional"; readonly type: ValueType; readonly reason: string; readonly holds?: Holds }
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
