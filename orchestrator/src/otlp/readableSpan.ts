import { SpanKind, SpanStatusCode, TraceFlags, createTraceState } from "@opentelemetry/api";
import type { HrTime, SpanContext } from "@opentelemetry/api";
import { resourceFromAttributes } from "@opentelemetry/resources";
import type { Resource } from "@opentelemetry/resources";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import type { Attributes, Span, SpanResource } from "../projection/span.ts";

/** Spans of the projection in the form that the SDK's exporters take. One resource object per resource: exporters group by identity. */
export function toReadableSpans(spans: readonly Span[], orchestrator: Attributes): ReadableSpan[] {
  const resources = new Map<string, Resource>();
  const resourceOf = (resource: SpanResource): Resource => {
    const attributes = resourceAttributes(resource, orchestrator);
    const key = JSON.stringify(attributes);
    const known = resources.get(key);
    if (known !== undefined) return known;
    const made = resourceFromAttributes(attributes);
    resources.set(key, made);
    return made;
  };
  return spans.map((span) => toReadableSpan(span, resourceOf(span.resource)));
}

/** What a resource says of itself. Nothing in it depends on which orchestrator exports. */
export function resourceAttributes(resource: SpanResource, orchestrator: Attributes): Attributes {
  switch (resource.kind) {
    case "orchestrator":
      return orchestrator;
    case "sidecar": {
      const { id, name, host, version } = resource.sidecar;
      const told = {
        "service.name": name === "" ? "sidestep-sidecar" : name,
        "service.instance.id": id,
        "service.version": version,
        "host.name": host,
      };
      return Object.fromEntries(Object.entries(told).filter(([, value]) => value !== ""));
    }
  }
}

function toReadableSpan(span: Span, resource: Resource): ReadableSpan {
  const context: SpanContext = {
    traceId: span.traceId,
    spanId: span.spanId,
    traceFlags: TraceFlags.SAMPLED,
    ...(span.tracestate === "" ? {} : { traceState: createTraceState(span.tracestate) }),
  };
  const parent =
    span.parentSpanId === undefined
      ? undefined
      : {
          traceId: span.traceId,
          spanId: span.parentSpanId,
          traceFlags: TraceFlags.SAMPLED,
          isRemote: span.parentIsRemote,
        };
  const startTime = toHrTime(span.startMs);
  const endTime = toHrTime(span.endMs);
  return {
    name: span.name,
    kind: kinds[span.kind],
    spanContext: () => context,
    ...(parent === undefined ? {} : { parentSpanContext: parent }),
    startTime,
    endTime,
    duration: toHrTime(span.endMs - span.startMs),
    status:
      span.status.kind === "error"
        ? { code: SpanStatusCode.ERROR, message: span.status.message }
        : { code: SpanStatusCode.UNSET },
    attributes: span.attributes,
    links: [],
    events: span.events.map((event) => ({
      name: event.name,
      time: toHrTime(event.timeMs),
      attributes: event.attributes,
    })),
    ended: true,
    resource,
    // Without a version: a span exported again by a later release must come out the same.
    instrumentationScope: { name: "sidestep" },
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

const kinds = { server: SpanKind.SERVER, internal: SpanKind.INTERNAL, client: SpanKind.CLIENT } as const;

function toHrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.min(999_999_999, Math.round((ms - seconds * 1000) * 1e6))];
}
