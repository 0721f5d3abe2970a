import type { Detail as PlannedDetail } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Detail, Fail } from "../../../proto/gen/sidestep/v1/workflow.ts";
import type { Surround } from "./arms.ts";
import type { Context } from "./context.ts";
import { compileExpression, compileOptional } from "./expression.ts";
import { requireFeature } from "./feature.ts";
import type { CompiledKind } from "./kind.ts";
import { resolveMessage } from "./messageType.ts";
import { elementOf, fieldOf } from "./place.ts";
import type { Place } from "./place.ts";

const ending = { result: undefined, broken: false, ends: true };

/** Compiles a `fail` whose message stands at `place`. */
export function compileFail(context: Context, fail: Fail, place: Place, surround: Surround): CompiledKind {
  const code = fieldOf(place, "code");
  const { findings } = context;
  if (surround.inCatch && isEmpty(fail)) {
    const value = { code: 0, message: undefined, details: [], rethrows: true };
    return { ...ending, kind: { $case: "fail", value }, noResult: "a fail has no result" };
  }
  if (fail.code === 0)
    findings.add(
      "STATUS_CODE",
      code,
      "a run can't fail with OK",
      surround.inCatch
        ? "name a code; an empty `fail {}` lets the caught error go on"
        : "name a code, like FAILED_PRECONDITION",
    );
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

/** Compiles a `yield` whose expression stands at `place`. */
export function compileYield(context: Context, source: string, place: Place): CompiledKind {
  const { findings, method } = context;
  requireFeature(context, "yield", place);
  const nothing = { kind: undefined, result: undefined, noResult: "a yield has no result", broken: false, ends: false };
  if (method.methodKind !== "server_streaming") {
    const hint = `write \`returns (stream ${method.output.name})\` at the rpc`;
    findings.add("STREAM", place, "only a workflow that returns a stream can `yield`", hint);
    return nothing;
  }
  if (source === "") {
    findings.add("MISSING", place, "`yield` builds no message", "'{}' is an empty one");
    return nothing;
  }
  const type = { kind: "message", message: method.output } as const;
  const value = compileExpression(context, place, source, { kind: "value", type });
  return value === undefined ? nothing : { ...nothing, kind: { $case: "yield", value: value.expression } };
}

/** Compiles a `compensate_now` at `place`. */
export function compileCompensateNow(context: Context, place: Place, surround: Surround): CompiledKind {
  requireFeature(context, "compensate_now", place);
  if (surround.inCompensation) {
    context.findings.add("COMPENSATE", place, "what it would undo is being undone", "leave `compensate_now` out");
  }
  return {
    kind: { $case: "compensateNow", value: {} },
    result: undefined,
    noResult: "a compensate_now has no result",
    broken: false,
    ends: false,
  };
}

/** Compiles a `return` whose expression stands at `place`. */
export function compileReturn(context: Context, source: string, place: Place, surround: Surround): CompiledKind {
  const { findings } = context;
  const nothing = { ...ending, kind: undefined, noResult: "a return has no result" };
  if (surround.inCompensation) {
    findings.add("COMPENSATE", place, "a compensation can't end the run: it is ending", "leave the `return` out");
    return nothing;
  }
  if (surround.inParallel) requireFeature(context, "return in a branch", place);
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
  const message = resolveMessage(context, detail.type, typePlace, "a detail is a message");
  if (message === undefined) return undefined;
  if (detail.value === "") {
    findings.add("MISSING", valuePlace, "the detail has no value", "'{}' is an empty message");
    return undefined;
  }
  const value = compileExpression(context, valuePlace, detail.value, {
    kind: "value",
    type: { kind: "message", message },
  });
  return value === undefined ? undefined : { type: message.typeName, value: value.expression };
}

/** It says nothing of its own. */
function isEmpty({ code, message, detail }: Fail): boolean {
  return code === 0 && message === "" && detail.length === 0;
}
