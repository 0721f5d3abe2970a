import type { TraceSpan } from "../../../proto/gen/sidestep/v1/traces.ts";

/** A trace as far as it has come. */
export interface KeptTrace {
  readonly traceId: string;
  /** In the order in which they began. */
  readonly spans: readonly TraceSpan[];
  /** Spans that came when there were as many as are kept of one. */
  readonly leftOut: number;
}

/** A span, and the trace that it belongs to. */
export interface ArrivedSpan {
  /** 32 hex digits. */
  readonly traceId: string;
  readonly span: TraceSpan;
}

/** The last traces, in memory. */
export interface TraceStore {
  /** A span that comes again takes the place of the one before. */
  add(spans: readonly ArrivedSpan[]): void;
  get(traceId: string): KeptTrace | undefined;
  /** Those to which something came last, first. */
  newest(count: number): readonly KeptTrace[];
}

/** A run of many passes has some thousands; a page shows no more. */
const spansMax = 5_000;

interface Kept {
  readonly spans: Map<string, TraceSpan>;
  leftOut: number;
}

/** Keeps `tracesMax` traces; the one to which nothing came for the longest time makes room. */
export function openTraceStore(tracesMax: number): TraceStore {
  const traces = new Map<string, Kept>();
  const read = (traceId: string, { spans, leftOut }: Kept): KeptTrace => ({
    traceId,
    spans: [...spans.values()].toSorted((a, b) => startOf(a) - startOf(b)),
    leftOut,
  });
  return {
    add: (arrived) => {
      for (const { traceId, span } of arrived) {
        const kept = traces.get(traceId) ?? { spans: new Map<string, TraceSpan>(), leftOut: 0 };
        // At its end: it is the newest now.
        traces.delete(traceId);
        traces.set(traceId, kept);
        if (kept.spans.size < spansMax || kept.spans.has(span.spanId)) kept.spans.set(span.spanId, span);
        else kept.leftOut += 1;
      }
      for (const oldest of traces.keys()) {
        if (traces.size <= tracesMax) break;
        traces.delete(oldest);
      }
    },
    get: (traceId) => {
      const kept = traces.get(traceId);
      return kept === undefined ? undefined : read(traceId, kept);
    },
    newest: (count) =>
      [...traces]
        .slice(-count)
        .toReversed()
        .map(([traceId, kept]) => read(traceId, kept)),
  };
}

function startOf({ startedAt }: TraceSpan): number {
  return startedAt === undefined ? 0 : Number(startedAt.seconds) * 1000 + startedAt.nanos / 1e6;
}
