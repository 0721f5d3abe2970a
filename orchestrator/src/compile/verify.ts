import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import type { DescMessage, DescMethod } from "@bufbuild/protobuf";
import { Call_OnDoubt } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Verify as PlannedVerify } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import { OnDoubt_Policy } from "../../../proto/gen/sidestep/v1/workflow.ts";
import type { Call } from "../../../proto/gen/sidestep/v1/workflow.ts";
import type { ValueType } from "../engine/expression/value.ts";
import type { Context } from "./context.ts";
import { compileExpression, compileOptional } from "./expression.ts";
import { requireFeature } from "./feature.ts";
import { resolveMethod } from "./method.ts";
import { variableOf, withVariables } from "./names.ts";
import { fieldOf } from "./place.ts";
import type { Place } from "./place.ts";

/** Compiles what is asked when nobody knows whether a call was carried out; `result` is the type of the call's result. */
export function compileVerify(
  context: Context,
  call: Call,
  method: DescMethod | undefined,
  result: ValueType | undefined,
  onDoubt: Call_OnDoubt,
  place: Place,
): PlannedVerify | undefined {
  const { findings } = context;
  const { verify } = call;
  const at = fieldOf(place, "verify");
  const isIdempotent =
    method !== undefined && method.idempotency !== MethodOptions_IdempotencyLevel.IDEMPOTENCY_UNKNOWN;
  if (onDoubt !== Call_OnDoubt.VERIFY) {
    if (verify !== undefined) {
      findings.add("UNREACHABLE", at, "this is never asked: on_doubt is not VERIFY", "add `on_doubt: VERIFY`");
    }
    return undefined;
  }
  requireFeature(
    context,
    "on_doubt: VERIFY",
    call.onDoubt === OnDoubt_Policy.VERIFY ? fieldOf(place, "on_doubt") : place,
  );
  if (verify === undefined) {
    if (isIdempotent && call.onDoubt !== OnDoubt_Policy.VERIFY) return undefined;
    const hint = "add `verify { method: … done: … result: … }`, or another on_doubt";
    findings.add("MISSING", place, "on_doubt is VERIFY, and the call doesn't say how to ask", hint);
    return undefined;
  }
  const asked = resolveMethod(context, verify.method, fieldOf(at, "method"));
  if (verify.done === "") {
    const hint = "add `done: '…'`, a CEL expression over `answer`";
    findings.add("MISSING", at, "nothing says when the call was carried out", hint);
  }
  const output = method?.output;
  if (verify.result === "" && output !== undefined && (method?.methodKind !== "unary" || output.fields.length > 0)) {
    const hint = "add `result: '…'`, a CEL expression over `answer`";
    findings.add("MISSING", at, `nothing builds the call's result, a ${output.typeName}`, hint);
  }
  if (asked?.methodKind === "server_streaming") {
    findings.add("NOT_CALLABLE", fieldOf(at, "method"), `'${verify.method}' returns a stream`, "ask by a unary rpc");
  }
  const request = asked === undefined ? undefined : compileRequest(context, verify.request, asked.input, at);
  const answer = variableOf(asked === undefined ? undefined : { kind: "message", message: asked.output });
  return withVariables(context.names, [["answer", answer]], () => {
    const done = compileOptional(context, fieldOf(at, "done"), verify.done, { kind: "bool" });
    const built =
      result === undefined || verify.result === ""
        ? undefined
        : compileExpression(context, fieldOf(at, "result"), verify.result, { kind: "value", type: result });
    if (asked === undefined) return undefined;
    context.types.add(asked.input.typeName).add(asked.output.typeName);
    return {
      method: verify.method,
      request: request?.expression,
      done: done?.expression,
      result: built?.expression,
      responseType: asked.output.typeName,
    };
  });
}

function compileRequest(context: Context, source: string, message: DescMessage, place: Place) {
  const wanted = { kind: "value", type: { kind: "message", message } } as const;
  return compileOptional(context, fieldOf(place, "request"), source, wanted, undefined, "sent");
}
