import { list, number, object, oneOf, text, textMap, time, truth } from "./json.ts";
import type { JsonObject } from "./json.ts";

/** A trace as far as it has come. */
export interface Trace {
  readonly traceId: string;
  readonly spans: readonly TraceSpan[];
  /** Spans that are not kept: the trace has too many. */
  readonly leftOut: number;
}

/** One operation of a program. */
export interface TraceSpan {
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  /** service.name of the program. */
  readonly service: string;
  readonly kind: SpanKind;
  /** Milliseconds since 1970, with fraction. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly failed: boolean;
  readonly message: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly events: readonly SpanEvent[];
}

/** Something that happened in it. */
export interface SpanEvent {
  readonly name: string;
  readonly time: number | undefined;
  readonly attributes: Readonly<Record<string, string>>;
}

/** A trace in a list. */
export interface TraceSummary {
  readonly traceId: string;
  readonly name: string;
  readonly service: string;
  readonly startedAt: number | undefined;
  readonly endedAt: number | undefined;
  readonly spans: number;
  readonly failed: number;
}

const kinds = ["KIND_UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"] as const;
export type SpanKind = (typeof kinds)[number];

/** Reads a GetTraceResponse. */
export function toTrace(of: JsonObject): Trace {
  return { traceId: text(of, "traceId"), spans: list(of, "spans", toSpan), leftOut: number(of, "leftOut") };
}

/** Reads a ListTracesResponse. */
export function toSummaries(of: JsonObject): readonly TraceSummary[] {
  return list(of, "traces", (one) => ({
    traceId: text(one, "traceId"),
    name: text(one, "name"),
    service: text(one, "service"),
    startedAt: time(one, "startedAt"),
    endedAt: time(one, "endedAt"),
    spans: number(one, "spans"),
    failed: number(one, "failed"),
  }));
}

function toSpan(of: JsonObject): TraceSpan {
  const startedAt = preciseTime(of, "startedAt") ?? 0;
  return {
    spanId: text(of, "spanId"),
    parentSpanId: text(of, "parentSpanId"),
    name: text(of, "name"),
    service: text(of, "service"),
    kind: oneOf(of, "kind", kinds, "KIND_UNSPECIFIED"),
    startedAt,
    endedAt: Math.max(startedAt, preciseTime(of, "endedAt") ?? startedAt),
    failed: truth(of, "failed"),
    message: text(of, "message"),
    attributes: textMap(object(of), "attributes"),
    events: list(of, "events", (one) => ({
      name: text(one, "name"),
      time: preciseTime(one, "time"),
      attributes: textMap(one, "attributes"),
    })),
  };
}

/** With the microseconds that a Date leaves out: spans are short. */
function preciseTime(of: JsonObject, name: string): number | undefined {
  const whole = time(of, name);
  const digits = /\.\d{3}(\d+)Z$/.exec(text(of, name))?.[1];
  return whole === undefined || digits === undefined ? whole : whole + Number(`0.${digits}`);
}
