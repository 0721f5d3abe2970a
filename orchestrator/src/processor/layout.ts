import { createHash } from "node:crypto";
import type { Layouts } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import { bucketOf, buckets, layoutOf } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";

/** Which partition a run's log is in; undefined: its id is of a layout that nobody made. */
export function partitionOf(layouts: Layouts, runId: RunId): number | undefined {
  const generation = layoutOf(runId);
  const layout = layouts.layout.find((one) => one.generation === generation);
  return layout === undefined ? undefined : bucketOf(runId) % layout.partitions;
}

/** The layout that new runs are made in. */
export function currentLayout({ layout }: Layouts): Layouts["layout"][number] {
  const [first, ...others] = layout;
  if (first === undefined) throw new Error("The record of layouts is empty: restore it, or use another prefix.");
  return others.reduce((latest, one) => (one.generation > latest.generation ? one : latest), first);
}

/** Partitions over all layouts. */
export function partitionCount({ layout }: Layouts): number {
  return layout.reduce((most, { partitions }) => Math.max(most, partitions), 0);
}

/** Where the record of a key stands: the bucket is also that of the key's run. */
export function keyPlace(workflow: string, key: string): { readonly bucket: number; readonly hash: string } {
  const hash = createHash("sha256").update(workflow).update("\0").update(key).digest();
  return { bucket: hash.readUInt16BE(0) % buckets, hash: hash.toString("hex") };
}
