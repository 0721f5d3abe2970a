import type { Layouts } from "../gen/sidestep/internal/v1/record.ts";
import { buckets, timeOf, toRunId } from "./runId.ts";
import type { RunId } from "./runId.ts";
import { sha256 } from "./sha256.ts";

/**
 * The id under which a lock has its log: shaped like a run's, with time 0. Of the oldest layout, which never goes: a lock that moved with
 * the layouts would have two logs, and two holders. Throws when there is no layout.
 */
export function lockId({ layout }: Layouts, lock: string): RunId {
  const [first, ...others] = layout;
  if (first === undefined) throw new Error("The record of layouts is empty: restore it, or use another prefix.");
  const oldest = others.reduce((least, { generation }) => Math.min(least, generation), first.generation);
  const digest = sha256(`lock:${lock}`);
  const [high = 0, low = 0] = digest;
  return toRunId(0, oldest, ((high << 8) | low) % buckets, digest.subarray(2, 10));
}

/** Is it the id of a lock? No run was ever made in 1970. */
export function isLockId(id: RunId): boolean {
  return timeOf(id) === 0;
}
