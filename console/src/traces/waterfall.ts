import type { TraceSpan } from "../api/trace.ts";

/** A span and where it is drawn. */
export interface WaterfallRow {
  readonly span: TraceSpan;
  /** How many spans it is inside of. */
  readonly depth: number;
  /** Parts of the whole width. */
  readonly start: number;
  readonly width: number;
}

export interface Waterfall {
  readonly rows: readonly WaterfallRow[];
  /** Milliseconds from the first start to the last end. */
  readonly tookMs: number;
  readonly from: number;
  /** In the order in which they first appear. */
  readonly services: readonly string[];
}

const depthMax = 40;

/** Spans below the one that they are inside of, in the order in which they began. A span whose parent has not come stands at the left. */
export function waterfall(spans: readonly TraceSpan[]): Waterfall {
  const from = Math.min(...spans.map(({ startedAt }) => startedAt));
  const to = Math.max(...spans.map(({ endedAt }) => endedAt));
  const tookMs = spans.length === 0 ? 0 : Math.max(to - from, 0.001);
  const known = new Set(spans.map(({ spanId }) => spanId));
  const inside = Map.groupBy(
    spans.toSorted((a, b) => a.startedAt - b.startedAt),
    ({ spanId, parentSpanId }) => (known.has(parentSpanId) && parentSpanId !== spanId ? parentSpanId : ""),
  );
  const rows: WaterfallRow[] = [];
  const drawn = new Set<string>();
  const draw = (span: TraceSpan, depth: number): void => {
    // Spans that are inside of each other can't be; what says so is drawn once.
    if (drawn.has(span.spanId)) return;
    drawn.add(span.spanId);
    const start = (span.startedAt - from) / tookMs;
    rows.push({ span, depth, start, width: (span.endedAt - span.startedAt) / tookMs });
    for (const below of inside.get(span.spanId) ?? []) draw(below, Math.min(depth + 1, depthMax));
  };
  for (const span of inside.get("") ?? []) draw(span, 0);
  for (const span of spans) draw(span, 0);
  return {
    rows,
    tookMs,
    from: spans.length === 0 ? 0 : from,
    services: [...new Set(rows.map(({ span }) => span.service))],
  };
}
