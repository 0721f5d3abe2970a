import type { DescMethod } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import type { Call as PlannedCall, Header as PlannedHeader } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Call, Header } from "../../../proto/gen/sidestep/v1/workflow.ts";
import type { ValueType } from "../engine/expression/value.ts";
import type { Context } from "./context.ts";
import { compileExpression, compileOptional } from "./expression.ts";
import { requireFeature } from "./feature.ts";
import { whyNotAHeader } from "./header.ts";
import { resolveMethod } from "./method.ts";
import { elementOf, fieldOf } from "./place.ts";
import type { Place } from "./place.ts";
import { durationOr, mergeSettings } from "./settings.ts";
import { compileVerify } from "./verify.ts";

/** A compiled call, and its result's type; each undefined when it is wrong. */
export interface CompiledCall {
  readonly call: PlannedCall | undefined;
  readonly response: ValueType | undefined;
}

/** Compiles a call; the settings it leaves out come from the workflow, the service or the built-in ones. */
export function compileCall(context: Context, call: Call, place: Place): CompiledCall {
  const { findings, limits } = context;
  const method = resolveMethod(context, call.method, fieldOf(place, "method"));
  const isStream = method?.methodKind === "server_streaming";
  if (isStream) requireFeature(context, "call of a streaming rpc", fieldOf(place, "method"));
  if (method !== undefined && !isStream) refuseCaps(context, call, place);
  const settings = mergeSettings(context.settings, call, place, findings, limits);
  const stepTimeoutMs = durationOr(undefined, call.stepTimeout, fieldOf(place, "step_timeout"), findings, limits);
  const headers = compileHeaders(context, call.header, place);
  const response = method === undefined ? undefined : resultOf(method);
  const verify = compileVerify(context, call, method, response, settings.onDoubt, place);
  if (method === undefined || response === undefined) return { call: undefined, response: undefined };
  const passesInput = isInput(context, call, method);
  const request = passesInput
    ? undefined
    : compileOptional(
        context,
        fieldOf(place, "request"),
        call.request,
        { kind: "value", type: { kind: "message", message: method.input } },
        undefined,
        "sent",
      );
  if (call.request !== "" && !passesInput && request === undefined) return { call: undefined, response };
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
    requestType: method.input.typeName,
    responseType: method.output.typeName,
    verify,
    serverStreaming: isStream,
    messagesMax: call.maxMessages,
    bytesMax: Number(call.maxBytes),
    passesInput,
  };
  return { call: planned, response };
}

function resultOf(method: DescMethod): ValueType {
  const message = { kind: "message", message: method.output } as const;
  return method.methodKind === "server_streaming" ? { kind: "list", element: message } : message;
}

/** The request is the run's own: its bytes are handed on as they came. */
function isInput({ features, request }: Context, call: Call, { input }: DescMethod): boolean {
  if (call.request.trim() !== "input" || !features.has("request as it came")) return false;
  return request.kind === "message" && request.message.typeName === input.typeName;
}

function refuseCaps({ findings }: Context, call: Call, place: Place): void {
  const hint = "leave it out, or call a streaming rpc";
  if (call.maxMessages !== 0) {
    findings.add("STREAM", fieldOf(place, "max_messages"), "the rpc answers with one message, not with a stream", hint);
  }
  if (call.maxBytes !== 0n) {
    findings.add("STREAM", fieldOf(place, "max_bytes"), "the rpc answers with one message, not with a stream", hint);
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
      const value = compileExpression(context, at, header.kind.value, { kind: "string" }, undefined, "sent");
      return value === undefined ? undefined : { key: header.key, value: value.expression, secret: "" };
    }
    case "secret": {
      const at = fieldOf(place, "secret");
      requireFeature(context, "secret", at);
      if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}$/.test(header.kind.value)) {
        const hint = "letters, digits, '_', '-' and '.' make one, beginning with none of the last two; at most 253";
        context.findings.add("SECRET", at, `'${header.kind.value.slice(0, 40)}' is not the name of a secret`, hint);
      }
      return { key: header.key, value: undefined, secret: header.kind.value };
    }
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
