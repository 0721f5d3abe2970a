import type { Attributes, Span, SpanResource } from "./span.ts";

/**
 * Spans as OTLP's TracesData in its JSON form: what `run trace -o otlp-json` writes and Jaeger's page opens. `resourceOf` says the
 * attributes of a resource.
 */
export function toOtlpJson(spans: readonly Span[], resourceOf: (resource: SpanResource) => Attributes): OtlpTraces {
  const groups = new Map<string, { readonly attributes: Attributes; readonly spans: OtlpSpan[] }>();
  for (const span of spans) {
    const attributes = resourceOf(span.resource);
    const key = JSON.stringify(attributes);
    const group = groups.get(key) ?? { attributes, spans: [] };
    groups.set(key, group);
    group.spans.push(toOtlpSpan(span));
  }
  return {
    resourceSpans: [...groups.values()].map((group) => ({
      resource: { attributes: toKeyValues(group.attributes) },
      scopeSpans: [{ scope: { name: "sidestep" }, spans: group.spans }],
    })),
  };
}

export interface OtlpTraces {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly OtlpKeyValue[] };
    readonly scopeSpans: readonly { readonly scope: { readonly name: string }; readonly spans: readonly OtlpSpan[] }[];
  }[];
}

export interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly traceState?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly OtlpKeyValue[];
  readonly events: readonly {
    readonly name: string;
    readonly timeUnixNano: string;
    readonly attributes: readonly OtlpKeyValue[];
  }[];
  readonly status: { readonly code?: number; readonly message?: string };
}

export interface OtlpKeyValue {
  readonly key: string;
  readonly value:
    | { readonly stringValue: string }
    | { readonly boolValue: boolean }
    | { readonly intValue: string }
    | { readonly doubleValue: number };
}

function toOtlpSpan(span: Span): OtlpSpan {
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    ...(span.parentSpanId === undefined ? {} : { parentSpanId: span.parentSpanId }),
    ...(span.tracestate === "" ? {} : { traceState: span.tracestate }),
    name: span.name,
    kind: kinds[span.kind],
    startTimeUnixNano: toNanos(span.startMs),
    endTimeUnixNano: toNanos(span.endMs),
    attributes: toKeyValues(span.attributes),
    events: span.events.map((event) => ({
      name: event.name,
      timeUnixNano: toNanos(event.timeMs),
      attributes: toKeyValues(event.attributes),
    })),
    status: span.status.kind === "error" ? { code: 2, message: span.status.message } : {},
  };
}

const kinds = { internal: 1, server: 2, client: 3 } as const;

function toKeyValues(attributes: Attributes): readonly OtlpKeyValue[] {
  return Object.entries(attributes).map(([key, value]) => {
    if (typeof value === "string") return { key, value: { stringValue: value } };
    if (typeof value === "boolean") return { key, value: { boolValue: value } };
    return { key, value: Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value } };
  });
}

/** 64-bit integers are strings in OTLP's JSON; a double holds the microseconds of a time in this century. */
function toNanos(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const nanos = Math.min(999_999_999, Math.round((ms - seconds * 1000) * 1e6));
  return `${seconds}${String(nanos).padStart(9, "0")}`;
}
