import type { Timestamp } from "../../../proto/gen/google/protobuf/timestamp.ts";
import { ExportTraceServiceRequest } from "../../../proto/gen/opentelemetry/proto/collector/trace/v1/trace_service.ts";
import type {
  AnyValue,
  KeyValue,
  Span as WireSpan,
} from "../../../proto/gen/opentelemetry/proto/collector/trace/v1/trace_service.ts";
import { Status_StatusCode as StatusCode } from "../../../proto/gen/opentelemetry/proto/collector/trace/v1/trace_service.ts";
import { TraceSpan_Kind as Kind } from "../../../proto/gen/sidestep/v1/traces.ts";
import type { TraceSpan } from "../../../proto/gen/sidestep/v1/traces.ts";
import type { Attributes, Span } from "../projection/span.ts";
import { resourceAttributes } from "./readableSpan.ts";
import type { ArrivedSpan } from "./traceStore.ts";

/** Spans of an ExportTraceServiceRequest. Throws when the bytes are none. */
export function parseExport(bytes: Uint8Array): readonly ArrivedSpan[] {
  const { resourceSpans } = ExportTraceServiceRequest.decode(bytes);
  return resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = textsOf(resource?.attributes ?? [])["service.name"] ?? "";
    return scopeSpans.flatMap(({ spans }) => spans.flatMap((span) => toArrived(span, service)));
  });
}

/** A span of ours, as it would have come from outside. */
export function ofOwn(span: Span, orchestrator: Attributes): ArrivedSpan {
  const service = resourceAttributes(span.resource, orchestrator)["service.name"];
  return {
    traceId: span.traceId,
    span: {
      spanId: span.spanId,
      parentSpanId: span.parentSpanId ?? "",
      name: span.name,
      service: String(service ?? ""),
      kind: ownKinds[span.kind],
      startedAt: ofMs(span.startMs),
      endedAt: ofMs(span.endMs),
      failed: span.status.kind === "error",
      message: span.status.kind === "error" ? span.status.message : "",
      attributes: ofAttributes(span.attributes),
      events: span.events.map((event) => ({
        name: event.name,
        time: ofMs(event.timeMs),
        attributes: ofAttributes(event.attributes),
      })),
    },
  };
}

const ownKinds = { server: Kind.SERVER, internal: Kind.INTERNAL, client: Kind.CLIENT } as const;

/** Empty: its ids are none. */
function toArrived(span: WireSpan, service: string): readonly ArrivedSpan[] {
  if (span.traceId.length !== 16 || span.spanId.length !== 8) return [];
  const kept: TraceSpan = {
    spanId: hexOf(span.spanId),
    parentSpanId: hexOf(span.parentSpanId),
    name: span.name,
    service,
    // The numbers are those of OTLP.
    kind: kinds.at(Math.max(0, span.kind)) ?? Kind.KIND_UNSPECIFIED,
    startedAt: ofNanos(span.startTimeUnixNano),
    endedAt: ofNanos(span.endTimeUnixNano),
    failed: span.status?.code === StatusCode.STATUS_CODE_ERROR,
    message: span.status?.message ?? "",
    attributes: textsOf(span.attributes),
    events: span.events.map((event) => ({
      name: event.name,
      time: ofNanos(event.timeUnixNano),
      attributes: textsOf(event.attributes),
    })),
  };
  return [{ traceId: hexOf(span.traceId), span: kept }];
}

const kinds = [Kind.KIND_UNSPECIFIED, Kind.INTERNAL, Kind.SERVER, Kind.CLIENT, Kind.PRODUCER, Kind.CONSUMER] as const;

function textsOf(attributes: readonly KeyValue[]): Record<string, string> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, textOf(value)]));
}

function textOf(of: AnyValue | undefined): string {
  const value = of?.value;
  switch (value?.$case) {
    case "stringValue":
      return value.value;
    case "boolValue":
    case "intValue":
    case "doubleValue":
      return String(value.value);
    case "arrayValue":
      return `[${value.value.values.map(textOf).join(", ")}]`;
    case "kvlistValue":
      return `{${value.value.values.map((one) => `${one.key}: ${textOf(one.value)}`).join(", ")}}`;
    case "bytesValue":
      return `${value.value.length} bytes`;
    case undefined:
      return "";
  }
}

function ofAttributes(attributes: Attributes): Record<string, string> {
  return Object.fromEntries(Object.entries(attributes).map(([key, value]) => [key, String(value)]));
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function ofMs(ms: number): Timestamp {
  const seconds = Math.floor(ms / 1000);
  return { seconds: BigInt(seconds), nanos: Math.min(999_999_999, Math.round((ms - seconds * 1000) * 1e6)) };
}

function ofNanos(nanos: bigint): Timestamp {
  return { seconds: nanos / 1_000_000_000n, nanos: Number(nanos % 1_000_000_000n) };
}
