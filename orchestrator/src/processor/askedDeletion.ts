import type { RunId } from "../../../proto/wire/runId.ts";

/** A request to delete a run that has ended. */
export interface AskedDeletion {
  readonly runId: RunId;
  /** Position of the request, and when the log stored it. */
  readonly askedAt: number;
  readonly askedMs: number;
}

/** Deletes runs that somebody asks to have deleted. */
export interface Deletions {
  add(asked: AskedDeletion): void;
  /** Carries out some of what is due; one sweep at a time. What fails is tried again. */
  sweep(): void;
  /** All requests before this position have been carried out; 0: all there are. */
  from(): number;
}
