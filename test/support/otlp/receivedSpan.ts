import path from "node:path";
import type grpc from "@grpc/grpc-js";
import protoLoader from "@grpc/proto-loader";

/** A span as it came over the wire. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: a root. */
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: "unspecified" | "internal" | "server" | "client" | "producer" | "consumer";
  readonly startNano: bigint;
  readonly endNano: bigint;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  readonly events: readonly {
    readonly name: string;
    readonly timeNano: bigint;
    readonly attributes: Readonly<Record<string, AttributeValue>>;
  }[];
  readonly status: { readonly code: "unset" | "ok" | "error"; readonly message: string };
  readonly tracestate: string;
  /** Attributes of the resource it came under. */
  readonly resource: Readonly<Record<string, AttributeValue>>;
  /** Name of the instrumentation scope. */
  readonly scope: string;
  /** Everything of the span itself as JSON: two deliveries of one span are the same when these are equal. */
  readonly whole: string;
}

export type AttributeValue = string | number | bigint | boolean | readonly AttributeValue[] | undefined;

/** grpc-js's own description of the collector's service. */
export const traceService = (): grpc.ServiceDefinition => definition();

/** Decodes the body of an export request; throws when it is not one. */
export function decodeExport(body: Buffer): readonly ReceivedSpan[] {
  const method = definition()["Export"];
  if (method === undefined) throw new Error("trace.proto has no Export");
  return toSpans(method.requestDeserialize(body));
}

let loaded: grpc.ServiceDefinition | undefined;

function definition(): grpc.ServiceDefinition {
  loaded ??= load();
  return loaded;
}

function load(): grpc.ServiceDefinition {
  const file = path.join(import.meta.dirname, "trace.proto");
  const all = protoLoader.loadSync(file, {
    keepCase: true,
    longs: String,
    enums: String,
    bytes: Buffer,
    defaults: true,
    oneofs: true,
  });
  const service = all["opentelemetry.proto.collector.trace.v1.TraceService"];
  if (service === undefined || "format" in service) throw new Error("trace.proto has no TraceService");
  return service;
}

interface WireValue {
  readonly value?: string;
  readonly string_value?: string;
  readonly bool_value?: boolean;
  readonly int_value?: string;
  readonly double_value?: number;
  readonly array_value?: { readonly values: readonly WireValue[] };
}
type WireAttributes = readonly { readonly key: string; readonly value: WireValue | null }[];
interface WireSpan {
  readonly trace_id: Buffer;
  readonly span_id: Buffer;
  readonly parent_span_id: Buffer;
  readonly trace_state: string;
  readonly name: string;
  readonly kind: string;
  readonly start_time_unix_nano: string;
  readonly end_time_unix_nano: string;
  readonly attributes: WireAttributes;
  readonly events: readonly {
    readonly name: string;
    readonly time_unix_nano: string;
    readonly attributes: WireAttributes;
  }[];
  readonly status: { readonly code: string; readonly message: string } | null;
}
interface WireRequest {
  readonly resource_spans: readonly {
    readonly resource: { readonly attributes: WireAttributes } | null;
    readonly scope_spans: readonly {
      readonly scope: { readonly name: string } | null;
      readonly spans: readonly WireSpan[];
    }[];
  }[];
}

/** The spans of a decoded export request. */
export function toSpans(request: unknown): readonly ReceivedSpan[] {
  return (request as WireRequest).resource_spans.flatMap(({ resource, scope_spans }) =>
    scope_spans.flatMap(({ scope, spans }) =>
      spans.map((span) => toSpan(span, toAttributes(resource?.attributes ?? []), scope?.name ?? "")),
    ),
  );
}

function toSpan(span: WireSpan, resource: ReceivedSpan["resource"], scope: string): ReceivedSpan {
  return {
    traceId: span.trace_id.toString("hex"),
    spanId: span.span_id.toString("hex"),
    parentSpanId: span.parent_span_id.toString("hex"),
    name: span.name,
    kind: span.kind.replace("SPAN_KIND_", "").toLowerCase() as ReceivedSpan["kind"],
    startNano: BigInt(span.start_time_unix_nano),
    endNano: BigInt(span.end_time_unix_nano),
    attributes: toAttributes(span.attributes),
    events: span.events.map((it) => ({
      name: it.name,
      timeNano: BigInt(it.time_unix_nano),
      attributes: toAttributes(it.attributes),
    })),
    status: {
      code: (span.status?.code ?? "STATUS_CODE_UNSET").replace("STATUS_CODE_", "").toLowerCase() as
        | "unset"
        | "ok"
        | "error",
      message: span.status?.message ?? "",
    },
    tracestate: span.trace_state,
    resource,
    scope,
    whole: JSON.stringify(span),
  };
}

function toAttributes(attributes: WireAttributes): Readonly<Record<string, AttributeValue>> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, value === null ? undefined : toValue(value)]));
}

function toValue(value: WireValue): AttributeValue {
  switch (value.value) {
    case "string_value":
      return value.string_value;
    case "bool_value":
      return value.bool_value;
    case "int_value":
      return Number(value.int_value);
    case "double_value":
      return value.double_value;
    case "array_value":
      return value.array_value?.values.map(toValue);
    default:
      return undefined;
  }
}
