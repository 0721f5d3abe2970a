import type { Span } from "../projection/span.ts";

/** Spans of one event, on their way out. */
export interface PendingSpans<T = Span> {
  readonly partition: number;
  /** Of the event in its partition's log. */
  readonly sequence: number;
  readonly spans: readonly T[];
}

/** Events of a partition whose spans are not out and not in memory either: they have to be read again. */
export interface Gap {
  /** All spans of events up to this sequence are out. */
  readonly after: number;
  readonly upTo: number;
}

/**
 * What is known of the spans that are not out yet: the pending ones, at most `spansMax` of them, and per partition the gap left by those
 * that did not fit. Data and arithmetic only; spanExport.ts moves it.
 */
export interface SpanQueue<T = Span> {
  opened(partition: number, position: { readonly traced: number; readonly checkpoint: number }): void;
  closed(partition: number): void;
  /** Takes an event's spans, or widens the partition's gap by it when they don't fit. */
  add(pending: PendingSpans<T>): void;
  /** The oldest pending ones, about `spansMax` of them; they stay pending until `done`. */
  batch(spansMax: number): readonly PendingSpans<T>[];
  done(batch: readonly PendingSpans<T>[]): void;
  /** A partition with a gap. */
  gap(): { readonly partition: number; readonly gap: Gap } | undefined;
  /** The first part of the gap is out, as it was when `part` was taken from it. */
  narrow(partition: number, part: Gap): void;
  /** All spans of events up to here are out, as far as events up to the checkpoint go. */
  tracedUpTo(partition: number, checkpoint: number): number;
  size(): number;
}

/** An empty queue. */
export function openSpanQueue<T>(spansMax: number): SpanQueue<T> {
  const pending = new Set<PendingSpans<T>>();
  const gaps = new Map<number, Gap>();
  let size = 0;
  const drop = (entry: PendingSpans<T>): void => {
    if (pending.delete(entry)) size -= entry.spans.length;
  };
  const widen = (partition: number, gap: Gap): void => {
    const known = gaps.get(partition);
    gaps.set(partition, {
      after: Math.min(known?.after ?? gap.after, gap.after),
      upTo: Math.max(known?.upTo ?? gap.upTo, gap.upTo),
    });
  };
  return {
    opened: (partition, { traced, checkpoint }) => {
      if (traced < checkpoint) widen(partition, { after: traced, upTo: checkpoint });
    },
    closed: (partition) => {
      gaps.delete(partition);
      for (const entry of pending) if (entry.partition === partition) drop(entry);
    },
    add: (entry) => {
      if (entry.spans.length === 0) return;
      if (size + entry.spans.length > spansMax) {
        widen(entry.partition, { after: entry.sequence - 1, upTo: entry.sequence });
        return;
      }
      pending.add(entry);
      size += entry.spans.length;
    },
    batch: (max) => {
      const batch: PendingSpans<T>[] = [];
      let count = 0;
      for (const entry of pending) {
        if (batch.length > 0 && count + entry.spans.length > max) break;
        batch.push(entry);
        count += entry.spans.length;
      }
      return batch;
    },
    done: (batch) => batch.forEach(drop),
    gap: () => {
      for (const [partition, gap] of gaps) return { partition, gap };
      return undefined;
    },
    narrow: (partition, part) => {
      const gap = gaps.get(partition);
      // A turn of an earlier event may have been told meanwhile, by a run that took long to load: then the gap begins before the part.
      if (gap === undefined || gap.after < part.after) return;
      if (part.upTo >= gap.upTo) gaps.delete(partition);
      else gaps.set(partition, { after: Math.max(gap.after, part.upTo), upTo: gap.upTo });
    },
    tracedUpTo: (partition, checkpoint) => {
      let traced = Math.min(checkpoint, gaps.get(partition)?.after ?? checkpoint);
      for (const entry of pending) if (entry.partition === partition) traced = Math.min(traced, entry.sequence - 1);
      return traced;
    },
    size: () => size,
  };
}
