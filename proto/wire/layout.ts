import type { Layout, Layouts } from "../gen/sidestep/internal/v1/record.ts";
import { bucketOf, layoutOf } from "./runId.ts";
import type { RunId } from "./runId.ts";

/** Which partition a run's log is in; undefined: its id is of a layout that nobody made. */
export function partitionOf(layouts: Layouts, runId: RunId): number | undefined {
  const generation = layoutOf(runId);
  const layout = layouts.layout.find((one) => one.generation === generation);
  return layout === undefined ? undefined : bucketOf(runId) % layout.partitions;
}

/** The layout that new runs are made in. Throws when there is none. */
export function currentLayout({ layout }: Layouts): Layout {
  const [first, ...others] = layout;
  if (first === undefined) throw new Error("The record of layouts is empty: restore it, or use another prefix.");
  return others.reduce((latest, one) => (one.generation > latest.generation ? one : latest), first);
}

/** Partitions over all layouts. */
export function partitionCount({ layout }: Layouts): number {
  return layout.reduce((most, { partitions }) => Math.max(most, partitions), 0);
}
