import type { Meter } from "@opentelemetry/api";

type Labels = Readonly<Record<string, string>>;

/** Counts by labels; the same labels are always given in the same order. */
export interface Counter {
  add(value: number, labels?: Labels): void;
  /** Counts by these labels only: without looking for them each time. */
  of(labels: Labels): (value: number) => void;
}

/** A histogram whose buckets remember a trace; its labels are always given in the same order. */
export interface TracedHistogram {
  /** `traceId`: 32 hex digits; left out: the trace is not kept anywhere. */
  record(value: number, labels: Labels, traceId?: string): void;
  /** Records with these labels only: without looking for them each time. */
  of(labels: Labels): (value: number, traceId?: string) => void;
}

/** What is counted for each step must cost next to nothing: it is put in its form when somebody scrapes. */
export function openCounter(meter: Meter, name: string, description: string): Counter {
  const cells = new Map<string, { readonly labels: Labels; value: number }>();
  meter.createObservableCounter(name, { description }).addCallback((result) => {
    for (const { value, labels } of cells.values()) result.observe(value, labels);
  });
  const cellOf = (labels: Labels): { value: number } => {
    const key = keyOf(labels);
    const cell = cells.get(key) ?? { labels, value: 0 };
    cells.set(key, cell);
    return cell;
  };
  return {
    add: (value, labels = {}) => void (cellOf(labels).value += value),
    of: (labels) => {
      const cell = cellOf(labels);
      return (value) => void (cell.value += value);
    },
  };
}

/** The latest measurement of a bucket whose trace is kept. */
interface Exemplar {
  readonly traceId: string;
  readonly value: number;
  readonly atMs: number;
}

interface Cell {
  readonly labels: Labels;
  /** How many fell into each bucket alone; one more bucket than there are boundaries. */
  readonly counts: Float64Array;
  readonly exemplars: (Exemplar | undefined)[];
  sum: number;
}

/** A histogram that writes itself. */
export interface WrittenHistogram extends TracedHistogram {
  /** In Prometheus' text form, or with exemplars as OpenMetrics has it; empty: nothing was recorded. */
  text(withExemplars: boolean): string;
}

/** `name` as it is scraped; `boundaries` rise. */
export function openHistogram(
  name: string,
  description: string,
  boundaries: readonly number[],
  now: () => number = Date.now,
): WrittenHistogram {
  const cells = new Map<string, Cell>();
  const bucketOf = (value: number): number => {
    let at = 0;
    while (at < boundaries.length && value > (boundaries[at] ?? 0)) at++;
    return at;
  };
  const cellOf = (labels: Labels): Cell => {
    const key = keyOf(labels);
    let cell = cells.get(key);
    if (cell === undefined) {
      cell = { labels, counts: new Float64Array(boundaries.length + 1), exemplars: [], sum: 0 };
      cells.set(key, cell);
    }
    return cell;
  };
  const put = (cell: Cell, value: number, traceId: string | undefined): void => {
    const bucket = bucketOf(value);
    cell.counts[bucket] = (cell.counts[bucket] ?? 0) + 1;
    cell.sum += value;
    if (traceId !== undefined) cell.exemplars[bucket] = { traceId, value, atMs: now() };
  };
  return {
    record: (value, labels, traceId) => put(cellOf(labels), value, traceId),
    of: (labels) => {
      const cell = cellOf(labels);
      return (value, traceId) => put(cell, value, traceId);
    },
    text: (withExemplars) => {
      if (cells.size === 0) return "";
      const lines = [`# HELP ${name} ${description}`, `# TYPE ${name} histogram`];
      for (const cell of cells.values()) lines.push(...linesOf(name, boundaries, cell, withExemplars));
      return `${lines.join("\n")}\n`;
    },
  };
}

function linesOf(name: string, boundaries: readonly number[], cell: Cell, withExemplars: boolean): readonly string[] {
  const labels = Object.entries(cell.labels).map(([key, value]) => `${key}="${escaped(value)}"`);
  let count = 0;
  const buckets = Array.from(cell.counts, (inBucket, at) => {
    count += inBucket;
    const le = at < boundaries.length ? String(boundaries[at]) : "+Inf";
    const line = `${name}_bucket{${[...labels, `le="${le}"`].join(",")}} ${count}`;
    const exemplar = withExemplars ? cell.exemplars[at] : undefined;
    if (exemplar === undefined) return line;
    return `${line} # {trace_id="${exemplar.traceId}"} ${exemplar.value} ${exemplar.atMs / 1000}`;
  });
  const of = labels.length === 0 ? "" : `{${labels.join(",")}}`;
  return [...buckets, `${name}_sum${of} ${cell.sum}`, `${name}_count${of} ${count}`];
}

function escaped(text: string): string {
  return text
    .replaceAll("\\", String.raw`\\`)
    .replaceAll("\n", String.raw`\n`)
    .replaceAll('"', String.raw`\"`);
}

function keyOf(labels: Labels): string {
  let key = "";
  for (const name in labels) key += `${labels[name]}\n`;
  return key;
}
