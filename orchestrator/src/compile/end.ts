import type { Detail as PlannedDetail } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Detail, Fail } from "../../../proto/gen/sidestep/v1/workflow.ts";
import { parseValueType } from "../engine/expression/value.ts";
import type { Surround } from "./arms.ts";
import type { Context } from "./context.ts";
import { compileExpression, compileOptional } from "./expression.ts";
import type { CompiledKind } from "./kind.ts";
import { elementOf, fieldOf } from "./place.ts";
import type { Place } from "./place.ts";

const ending = { result: undefined, broken: false, ends: true };

/** Compiles a `fail` whose message stands at `place`. */
export function compileFail(context: Context, fail: Fail, place: Place): CompiledKind {
  const code = fieldOf(place, "code");
  const { findings } = context;
  if (fail.code === 0)
    findings.add("STATUS_CODE", code, "a run can't fail with OK", "name a code, like FAILED_PRECONDITION");
  else if (fail.code < 0 || fail.code > 16) {
    findings.add(
      "STATUS_CODE",
      code,
      `${fail.code} is not a status code`,
      "codes go from 1 (CANCELLED) to 16 (UNAUTHENTICATED)",
    );
  }
  const message = compileOptional(context, fieldOf(place, "message"), fail.message, { kind: "string" });
  const details: PlannedDetail[] = [];
  for (const [index, detail] of fail.detail.entries()) {
    const compiled = compileDetail(context, detail, elementOf(place, "detail", index));
    if (compiled !== undefined) details.push(compiled);
  }
  const value = { code: fail.code, message: message?.expression, details, rethrows: false };
  return { ...ending, kind: { $case: "fail", value }, noResult: "a fail has no result" };
}

/** Compiles a `return` whose expression stands at `place`. */
export function compileReturn(context: Context, source: string, place: Place, surround: Surround): CompiledKind {
  const { findings } = context;
  const nothing = { ...ending, kind: undefined, noResult: "a return has no result" };
  if (surround.inParallel) {
    findings.add(
      "NOT_YET",
      place,
      "`return` in a branch of a parallel step is not supported yet",
      "return after the parallel step",
    );
    return nothing;
  }
  if (source === "") {
    findings.add("MISSING", place, "`return` builds no response", "'{}' is an empty one");
    return nothing;
  }
  const type = { kind: "message", message: context.method.output } as const;
  const value = compileExpression(context, place, source, { kind: "value", type });
  return value === undefined ? nothing : { ...nothing, kind: { $case: "return", value: value.expression } };
}

function compileDetail(context: Context, detail: Detail, place: Place): PlannedDetail | undefined {
  const { findings } = context;
  const typePlace = fieldOf(place, "type");
  const valuePlace = fieldOf(place, "value");
  if (detail.type === "") {
    findings.add("MISSING", typePlace, "the detail has no type", 'name a message, like "shop.v1.OutOfStock"');
    return undefined;
  }
  const type = parseValueType(detail.type, context.registry, context.container);
  if (type.kind === "wrong") {
    findings.add("TYPE_NAME", typePlace, type.message, type.hint ?? "its .proto must be part of the image");
    return undefined;
  }
  if (type.kind !== "message") {
    findings.add(
      "TYPE_NAME",
      typePlace,
      `a detail is a message, '${detail.type}' is not`,
      "put the value into a message",
    );
    return undefined;
  }
  context.types.add(type.message.typeName);
  if (detail.value === "") {
    findings.add("MISSING", valuePlace, "the detail has no value", "'{}' is an empty message");
    return undefined;
  }
  const value = compileExpression(context, valuePlace, detail.value, { kind: "value", type });
  return value === undefined ? undefined : { type: type.message.typeName, value: value.expression };
}
