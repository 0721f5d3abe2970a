import type { ValueType } from "../engine/expression/value.ts";
import type { Context } from "./context.ts";
import type { Place } from "./place.ts";

/** The list of values of a type; undefined, and a finding at `place`, when no list can hold it. `why` is a clause. */
export function listOf(
  context: Context,
  element: ValueType | undefined,
  place: Place | undefined,
  why: string,
): ValueType | undefined {
  if (element === undefined) return undefined;
  if (element.kind === "list" || element.kind === "map") {
    context.findings.add("RESULT", place, `${why}, and a list can't hold a ${element.kind}`, "put it into a message");
    return undefined;
  }
  const { isRedacted = false } = element;
  return isRedacted ? { kind: "list", element, isRedacted } : { kind: "list", element };
}

/** The type of a list's elements; redacted as the list is. */
export function elementOf({ element, isRedacted = false }: Extract<ValueType, { readonly kind: "list" }>): ValueType {
  return isRedacted ? { ...element, isRedacted } : element;
}
