import type { Exemplar, FindExemplar } from "./openMetricsText.ts";

/** The latest exemplar of each bucket of a process's histograms. */
export interface Exemplars {
  /** `name` and `labels` as they are scraped; `boundaries` rise. */
  note(name: string, labels: Readonly<Record<string, string>>, boundaries: readonly number[], exemplar: Exemplar): void;
  readonly find: FindExemplar;
}

/** Keeps them; series are as many as their labels let them be. */
export function openExemplars(): Exemplars {
  const series = new Map<string, Map<string, Exemplar>>();
  return {
    note: (name, labels, boundaries, exemplar) => {
      const key = keyOf(name, labels);
      const buckets = series.get(key) ?? new Map<string, Exemplar>();
      series.set(key, buckets);
      const boundary = boundaries.find((it) => exemplar.value <= it);
      buckets.set(boundary === undefined ? "+Inf" : String(boundary), exemplar);
    },
    find: (name, labels, bucket) => series.get(keyOf(name, labels))?.get(bucket),
  };
}

/** Labels of a metric are written in one order everywhere. */
function keyOf(name: string, labels: Readonly<Record<string, string>>): string {
  return `${name}\n${Object.values(labels).join("\n")}`;
}
