import type { Let, Wait } from "../../../proto/gen/sidestep/v1/workflow.ts";
import type { ValueType } from "../engine/expression/value.ts";
import type { Context } from "./context.ts";
import { compileExpression } from "./expression.ts";
import { brokenKind } from "./kind.ts";
import type { CompiledKind } from "./kind.ts";
import { resolveType } from "./messageType.ts";
import { fieldOf } from "./place.ts";
import type { Place } from "./place.ts";
import { durationOr } from "./settings.ts";

/** Compiles a `let` whose message stands at `place`. */
export function compileLet(context: Context, definition: Let, place: Place): CompiledKind {
  const declared = declaredType(context, definition, place);
  if (definition.value === "") {
    context.findings.add(
      "MISSING",
      fieldOf(place, "value"),
      "`let` keeps nothing",
      "add `value: '…'`, a CEL expression",
    );
    return brokenKind;
  }
  if (declared === "wrong") return brokenKind;
  const wanted = declared === undefined ? ({ kind: "any" } as const) : ({ kind: "value", type: declared } as const);
  const value = compileExpression(context, fieldOf(place, "value"), definition.value, wanted, undefined, "kept");
  const result = value?.type ?? declared;
  return {
    kind: value === undefined ? undefined : { $case: "let", value: value.expression },
    result,
    noResult: "it is wrong",
    broken: result === undefined,
    ends: false,
  };
}

/** Compiles a `wait` whose message stands at `place`. */
export function compileWait(context: Context, wait: Wait, place: Place): CompiledKind {
  const waited = { result: undefined, noResult: "a wait has no result", broken: false, ends: false };
  switch (wait.kind?.$case) {
    case "for": {
      const at = fieldOf(place, "for");
      if (wait.kind.value === "") context.findings.add("MISSING", at, "`for` is empty", 'add a duration, like "24h"');
      const value = durationOr(0, wait.kind.value, at, context.findings, context.limits);
      return { ...waited, kind: { $case: "wait", value: { kind: { $case: "forMs", value } } } };
    }
    case "until": {
      const at = fieldOf(place, "until");
      if (wait.kind.value === "") {
        context.findings.add("MISSING", at, "`until` is empty", "add a CEL expression that yields a timestamp");
        return { ...waited, kind: undefined };
      }
      const value = compileExpression(context, at, wait.kind.value, { kind: "timestamp" })?.expression;
      if (value === undefined) return { ...waited, kind: undefined };
      return { ...waited, kind: { $case: "wait", value: { kind: { $case: "until", value } } } };
    }
    case undefined:
      context.findings.add("EMPTY_STEP", place, "the wait doesn't say how long", "add `for: \"10m\"` or `until: '…'`");
      return { ...waited, kind: undefined };
  }
}

function declaredType(context: Context, { type }: Let, place: Place): ValueType | "wrong" | undefined {
  return type === "" ? undefined : (resolveType(context, type, fieldOf(place, "type")) ?? "wrong");
}
