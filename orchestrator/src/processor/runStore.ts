import type { RunFilter } from "../compile/filter/runFilter.ts";
import type { RunRow } from "../projection/runRow.ts";

/** The store of rows does not answer, or can't do what it is asked. The message is for people, and names no password. */
export class RunStoreError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "RunStoreError";
  }
}

/** How far the rows of a partition go. */
export interface Cursor {
  /** All records up to here are in the rows. */
  readonly sequence: number;
  /** Grows with each rebuild: rows of a lower one are of before. */
  readonly epoch: number;
  /** It was made just now: whatever was written before is not there. */
  readonly isNew?: true | undefined;
}

/** Rows of one partition, those of deleted runs to be removed, and how far they make it go; written together or not at all. */
export interface RowBatch {
  readonly partition: number;
  readonly epoch: number;
  /** Undefined: the cursor stays where it is. */
  readonly upTo: number | undefined;
  readonly rows: readonly RunRow[];
}

/** One page of a list, newest first. */
export interface RunQuery {
  readonly filter: RunFilter;
  /** Runs behind this one only. */
  readonly after: { readonly startedMs: number; readonly id: string } | undefined;
  readonly limit: number;
  /** Those that would come first are left out; absent: none is. */
  readonly skip?: number;
}

/** Runs of one version in one state. */
export interface RunCount {
  readonly workflow: string;
  readonly version: number;
  readonly state: number;
  readonly runs: number;
}

/** Open incidents that are about the same. */
export interface IncidentGroup {
  readonly workflow: string;
  /** The step's path without its passes. */
  readonly place: string;
  readonly compensation: boolean;
  readonly code: number;
  readonly reason: number;
  readonly incidents: number;
  readonly runs: number;
  readonly oldestMs: number;
  readonly newestMs: number;
  /** Of one of them. */
  readonly message: string;
  /** One of them. */
  readonly runId: string;
}

/** What is kept of an ended run when its log goes. */
export interface ArchivedRun {
  readonly row: RunRow;
  /** sidestep.internal.v1.ArchivedRun, compressed. */
  readonly history: Uint8Array;
}

/** Ends before which rows go. */
export interface PruneTimes {
  /** Of runs that completed, and of others; 0: none go. */
  readonly completedMs: number;
  readonly failedMs: number;
  /** Of runs whose workflow says how long they are kept: the time that the end of that has to be before, and their own end. */
  readonly ownMs: number;
  readonly ownEndMs: number;
}

/**
 * Rows of runs, in SQL. All of it but the archive follows from the log and may be thrown away at any time. A row never takes the place of
 * one of a later position, so writing twice does no harm. Rejects with RunStoreError.
 */
export interface RunStore extends AsyncDisposable {
  /** All orchestrators write into the same one, each the partitions it owns. False: each has its own, with all partitions. */
  readonly isShared: boolean;
  /** "sqlite" or "postgres", and where: for people. */
  readonly description: string;
  /** The cursor of a partition; it begins anew when the log is another one than that of last time, or ends before it. */
  cursor(partition: number, log: { readonly created: string; readonly lastSequence: number }): Promise<Cursor>;
  /** "stale": somebody has begun the rows of this partition anew, and nothing was written. */
  write(batch: RowBatch): Promise<"written" | "stale">;
  /** How far the rows of all partitions go, in short: another text whenever some may have changed. */
  revision(): Promise<string>;
  list(query: RunQuery): Promise<readonly RunRow[]>;
  /** By workflow, version and state; kept up to date with the rows where the filter asks for nothing else. */
  count(filter: RunFilter): Promise<readonly RunCount[]>;
  /** Those with most runs first. */
  incidents(filter: RunFilter, limit: number): Promise<readonly IncidentGroup[]>;
  archive(run: ArchivedRun): Promise<void>;
  archived(runId: string): Promise<Uint8Array | undefined>;
  /** Removes a run of which the log has nothing any more, archive and all. False: it was not there. */
  remove(runId: string): Promise<boolean>;
  /** Removes rows of runs that ended before, at most so many of each sort, archived ones only when `archived`; how many it removed. */
  prune(options: {
    readonly partition: number;
    readonly before: PruneTimes;
    readonly archived: boolean;
    readonly limit: number;
  }): Promise<number>;
  /** Begins the rows of some partitions anew; the old ones stay until `finish`. */
  rebuild(partitions: readonly number[]): Promise<void>;
  /** Removes rows of an earlier epoch, at most so many; how many it removed. */
  finish(partition: number, epoch: number, limit: number): Promise<number>;
}
