import { buckets, layoutOf, timeOf, toRunId } from "./runId.ts";
import type { RunId } from "./runId.ts";
import { sha256 } from "./sha256.ts";

/**
 * The id of the run that a step starts: a function of parent, step and generation alone, so that a start that is carried out again is
 * the same start, whatever has been deployed meanwhile. It has the parent's time and layout.
 */
export function childRunId(parent: RunId, step: string, generation: number): RunId {
  const digest = sha256(`child:${parent}/${step}/g${generation}`);
  const [high = 0, low = 0] = digest;
  return toRunId(timeOf(parent), layoutOf(parent), ((high << 8) | low) % buckets, digest.subarray(2, 10));
}
