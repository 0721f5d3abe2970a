import type { Log } from "../../../runtime/src/log.ts";
import type { ReprojectGround } from "./reproject.ts";
import type { RunStore } from "./runStore.ts";

/** What writing rows needs. */
export interface RowWriterOptions {
  readonly store: RunStore;
  readonly partitions: number;
  readonly ground: ReprojectGround;
  readonly logger: Log;
  /** This machine's clock, in milliseconds since 1970. */
  readonly now: () => number;
  /** How long the log keeps ended runs, and how long the store keeps those that are archived; 0: for ever. */
  readonly retentionMs: number;
  /** Of those that did not complete; undefined: as others. */
  readonly retentionFailedMs?: number | undefined;
  readonly archiveMs: number;
  readonly bounds?: Partial<RowWriterBounds>;
}

export interface RowWriterBounds {
  /** Rows of a partition in memory; what is more is read from the log again. */
  readonly pendingMax: number;
  readonly batchMax: number;
  /** How long the first row of a batch waits for company: a run that starts and ends meanwhile is written once. */
  readonly lingerMs: number;
  /** Messages read again at one time. */
  readonly windowMax: number;
  /** How often partitions that others own are looked at, where each orchestrator has all rows, and for how long after somebody has asked for them. */
  readonly followMs: number;
  readonly wantedMs: number;
  readonly pruneMs: number;
  /** How often it looks whether somebody has emptied a store that others can reach. */
  readonly checkMs: number;
}

export const rowWriterBounds: RowWriterBounds = {
  pendingMax: 20_000,
  batchMax: 500,
  lingerMs: 250,
  windowMax: 1_000,
  followMs: 1_000,
  wantedMs: 60_000,
  pruneMs: 60_000,
  checkMs: 5_000,
};

/** How far the rows of a partition go. */
export interface RowProgress {
  readonly partition: number;
  /** Records up to here are in the rows; undefined: not known yet. */
  readonly position: number | undefined;
  /** Where it has to get to, as far as that is known. */
  readonly head: number;
  /** Milliseconds between a record and its row; 0: nothing is missing. */
  readonly lagMs: number;
  /** It reads the log. */
  readonly isCatchingUp: boolean;
  /** Another orchestrator works on it: its rows are read from the log here while somebody asks for them. */
  readonly isForeign: boolean;
}
