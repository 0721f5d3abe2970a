import type { Log } from "../../../runtime/src/log.ts";
import type { Credentials } from "./credentials.ts";
import type { LogClock } from "./logClock.ts";
import type { Control, PartitionLog, Plans, Tasks, Timers, TurnObserver } from "./ports.ts";
import type { ResidentRun } from "./residentRun.ts";
import type { Unfinished } from "./unfinished.ts";

/** Counters of a process; read by metrics. */
export interface Counts {
  turns: number;
  tasks: number;
  loads: number;
  evictions: number;
  /** Messages set aside. */
  garbage: number;
  /** Records of runs whose log has no start. */
  orphans: number;
  corruptRuns: number;
  takeovers: number;
  asks: number;
}

export function zeroCounts(): Counts {
  return {
    turns: 0,
    tasks: 0,
    loads: 0,
    evictions: 0,
    garbage: 0,
    orphans: 0,
    corruptRuns: 0,
    takeovers: 0,
    asks: 0,
  };
}

/** What an owned partition is worked on with, for as long as it is owned. */
export interface Ground {
  readonly partition: number;
  readonly epoch: number;
  readonly log: PartitionLog;
  readonly tasks: Tasks;
  readonly timers: Timers;
  readonly control: Control;
  readonly plans: Plans;
  readonly observer: TurnObserver;
  readonly credentials: Credentials;
  readonly clock: LogClock;
  readonly counts: Counts;
  readonly logger: Log;
  /** Aborted when the partition is left. */
  readonly signal: AbortSignal;
  /** The lease still holds: looked at before commands and answers leave. */
  isLive(this: void): boolean;
  /** A bug, or a store that can't work: the partition is left, with a log line. */
  fail(this: void, error: unknown): void;
}

/** The same with what its loop adds. */
export interface Ownership extends Ground {
  readonly unfinished: Unfinished;
  /** An end met an event that may not be folded yet, or never will be. */
  endRefused(this: void, run: ResidentRun, expected: number): void;
  /** Something is done, more may be read. */
  roomAgain(this: void): void;
}
