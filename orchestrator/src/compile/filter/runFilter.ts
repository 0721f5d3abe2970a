import type { RunFieldName } from "./field.ts";

/** Which runs are meant: a condition over their rows, as data. */
export type RunFilter =
  | { readonly kind: "all"; readonly of: readonly RunFilter[] }
  | { readonly kind: "any"; readonly of: readonly RunFilter[] }
  | { readonly kind: "not"; readonly of: RunFilter }
  | { readonly kind: "constant"; readonly value: boolean }
  | { readonly kind: "compare"; readonly place: RunPlace; readonly operator: Comparison; readonly value: FilterValue }
  | { readonly kind: "text"; readonly place: RunPlace; readonly how: TextTest; readonly value: string }
  /** It has a value. */
  | { readonly kind: "present"; readonly place: RunPlace };

/** What is looked at in a run. */
export type RunPlace =
  | { readonly kind: "field"; readonly name: RunFieldName }
  | { readonly kind: "attribute"; readonly name: string };

export type Comparison = "=" | "<" | "<=" | ">" | ">=";

export type TextTest = "startsWith" | "endsWith" | "contains";

/** Times are milliseconds since 1970, states and codes their numbers. */
export type FilterValue =
  | { readonly kind: "text"; readonly value: string }
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "bool"; readonly value: boolean };

/** All runs. */
export const everyRun: RunFilter = { kind: "constant", value: true };

/** The places that a filter looks at. */
export function placesIn(filter: RunFilter): readonly RunPlace[] {
  switch (filter.kind) {
    case "all":
    case "any":
      return filter.of.flatMap(placesIn);
    case "not":
      return placesIn(filter.of);
    case "constant":
      return [];
    case "compare":
    case "text":
    case "present":
      return [filter.place];
  }
}
