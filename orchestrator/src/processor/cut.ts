import type { RunId } from "../../../proto/wire/runId.ts";

/** What of a run may be cut once its Snapshot is known to be folded. */
export interface Cut {
  /** Last position that the Snapshot sums up. */
  readonly through: number;
  /** Of the Snapshot itself. */
  readonly position: number;
}

/** History that Snapshots have made needless, to be removed from the log. */
export interface Cuts {
  /** A Snapshot has been folded. */
  add(runId: RunId, cut: Cut): void;
  /** Removes some of what the durable checkpoint has passed; one at a time. What fails is tried again. */
  sweep(): void;
}
