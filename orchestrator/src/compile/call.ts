import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import type { Call as PlannedCall, Header as PlannedHeader } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Call, Header } from "../../../proto/gen/sidestep/v1/workflow.ts";
import type { ValueType } from "../engine/expression/value.ts";
import type { Context } from "./context.ts";
import { compileExpression, compileOptional } from "./expression.ts";
import { whyNotAHeader } from "./header.ts";
import { resolveMethod } from "./method.ts";
import { elementOf, fieldOf } from "./place.ts";
import type { Place } from "./place.ts";
import { durationOr, mergeSettings } from "./settings.ts";

/** A compiled call, and its response's type; each undefined when it is wrong. */
export interface CompiledCall {
  readonly call: PlannedCall | undefined;
  readonly response: ValueType | undefined;
}

/** Compiles a call; the settings it leaves out come from the workflow, the service or the built-in ones. */
export function compileCall(context: Context, call: Call, place: Place): CompiledCall {
  const { findings, limits } = context;
  const method = resolveMethod(context, call.method, fieldOf(place, "method"));
  refuseLater(context, call, place);
  const settings = mergeSettings(context.settings, call, place, findings, limits);
  const stepTimeoutMs = durationOr(undefined, call.stepTimeout, fieldOf(place, "step_timeout"), findings, limits);
  const headers = compileHeaders(context, call.header, place);
  if (method === undefined) return { call: undefined, response: undefined };
  const response: ValueType = { kind: "message", message: method.output };
  const request = compileOptional(context, fieldOf(place, "request"), call.request, {
    kind: "value",
    type: { kind: "message", message: method.input },
  });
  if (call.request !== "" && request === undefined) return { call: undefined, response };
  context.types.add(method.input.typeName).add(method.output.typeName);
  const planned: PlannedCall = {
    method: call.method,
    request: request?.expression,
    headers,
    timeoutMs: settings.timeoutMs,
    stepTimeoutMs,
    queueNoticeMs: settings.queueNoticeMs,
    retry: settings.retry,
    onDoubt: settings.onDoubt,
    onExhausted: settings.onExhausted,
    idempotent: method.idempotency !== MethodOptions_IdempotencyLevel.IDEMPOTENCY_UNKNOWN,
    responseType: method.output.typeName,
    verify: undefined,
    serverStreaming: false,
    messagesMax: 0,
    bytesMax: 0,
    passesInput: false,
  };
  return { call: planned, response };
}

function refuseLater(context: Context, call: Call, place: Place): void {
  const { findings } = context;
  if (call.verify !== undefined) {
    findings.add(
      "NOT_YET",
      fieldOf(place, "verify"),
      "`verify` is not supported yet",
      "leave it out, and set on_doubt to RETRY, PAUSE or FAIL",
    );
  }
  if (call.maxMessages !== 0) {
    findings.add(
      "NOT_YET",
      fieldOf(place, "max_messages"),
      "`max_messages` is not supported yet",
      "it belongs to calls of streaming rpcs: leave it out",
    );
  }
  if (call.maxBytes !== 0n) {
    findings.add(
      "NOT_YET",
      fieldOf(place, "max_bytes"),
      "`max_bytes` is not supported yet",
      "it belongs to calls of streaming rpcs: leave it out",
    );
  }
}

function compileHeaders(context: Context, headers: readonly Header[], place: Place): readonly PlannedHeader[] {
  const { findings, limits } = context;
  const compiled: PlannedHeader[] = [];
  const seen = new Set<string>();
  if (headers.length > limits.entriesMax) {
    findings.add(
      "LIMIT",
      elementOf(place, "header", limits.entriesMax),
      `${headers.length} headers, the limit is ${limits.entriesMax}`,
    );
    return compiled;
  }
  for (const [index, header] of headers.entries()) {
    const at = elementOf(place, "header", index);
    const key = fieldOf(at, "key");
    const wrong = whyNotAHeader(header.key, limits);
    if (wrong !== undefined) findings.add("HEADER", key, wrong.message, wrong.hint);
    else if (seen.has(header.key))
      findings.add("HEADER", key, `header '${header.key}' stands here twice`, "leave one out");
    seen.add(header.key);
    const value = compileHeaderValue(context, header, at);
    if (value !== undefined) compiled.push(value);
  }
  return compiled;
}

function compileHeaderValue(context: Context, header: Header, place: Place): PlannedHeader | undefined {
  switch (header.kind?.$case) {
    case "value": {
      const at = fieldOf(place, "value");
      if (header.kind.value === "") {
        context.findings.add(
          "MISSING",
          at,
          "the header's value is empty",
          "write a CEL expression that yields a string; '\"\"' is an empty one",
        );
        return undefined;
      }
      const value = compileExpression(context, at, header.kind.value, { kind: "string" });
      return value === undefined ? undefined : { key: header.key, value: value.expression, secret: "" };
    }
    case "secret":
      context.findings.add(
        "NOT_YET",
        fieldOf(place, "secret"),
        "`secret` headers are not supported yet",
        "let the service hold its own secrets",
      );
      return undefined;
    case undefined:
      context.findings.add(
        "MISSING",
        place,
        "the header has no value",
        "add `value: '…'`, a CEL expression that yields a string",
      );
      return undefined;
  }
}
