import type { Limits } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Layouts } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import type { Log } from "../../../runtime/src/log.ts";
import type { Archive } from "./archive.ts";
import type { Cuts } from "./cut.ts";
import type { Credentials } from "./credentials.ts";
import type { Deletions } from "./askedDeletion.ts";
import type { Drift } from "./drift.ts";
import type { HeldBack } from "./heldBack.ts";
import type { LogClock } from "./logClock.ts";
import type {
  Control,
  Keys,
  Messages,
  PartitionLog,
  Payloads,
  Plans,
  Tasks,
  Timers,
  TurnObserver,
  Workflows,
} from "./ports.ts";
import type { Portions } from "./portions.ts";
import type { Retentions } from "./kept.ts";
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
  /** Runs whose history was cut below a Snapshot. */
  cuts: number;
  /** Snapshots that were too large for a message. */
  oversizedSnapshots: number;
  /** Ended runs that were deleted, after their retention or because somebody asked. */
  deletions: number;
  /** Runs without a start of which something was left, and locks that nobody wants, deleted after the same time. */
  leftovers: number;
  asks: number;
  /** Tasks that were held back because no service that runs fits them. */
  drifts: number;
}

/** Nothing has happened yet. */
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
    cuts: 0,
    oversizedSnapshots: 0,
    deletions: 0,
    leftovers: 0,
    asks: 0,
    drifts: 0,
  };
}

/** Every bound of a partition's loop. */
export interface Bounds {
  /** Runs without news for so long are dropped from memory; ended ones sooner. */
  readonly idleMs: number;
  readonly endedIdleMs: number;
  readonly residentsMax: number;
  readonly loadsMax: number;
  /** Due records that are taken before the event loop looks at everything else again, over all partitions; runs loaded for them at a time. */
  readonly duePortion: number;
  readonly dueLoadsMax: number;
  /** Events that are not done; nothing more is read then. */
  readonly unfinishedMax: number;
  /** Bytes of records that wait for their run; nothing more is read then. */
  readonly waitingBytesMax: number;
  /** Messages of a takeover that are looked at together. */
  readonly takeoverPart: number;
  /** Idle runs are looked for this often. */
  readonly sweepEveryMs: number;
  /** Records of a run after which it is summed up. */
  readonly snapshotEvery: number;
  /** How long an ended run is kept whose workflow does not say; 0: for ever. */
  readonly retentionMs: number;
  /** The same, of one that did not complete; undefined: as others. */
  readonly retentionFailedMs: number | undefined;
  /** Runs that are deleted in one sweep. */
  readonly deletionsMax: number;
  /** Without a beat for so long an orchestrator counts as dead, and its partitions as free. */
  readonly silenceMs: number;
}

export const defaultBounds: Bounds = {
  idleMs: 30_000,
  endedIdleMs: 100,
  residentsMax: 20_000,
  loadsMax: 64,
  duePortion: 16,
  dueLoadsMax: 4,
  unfinishedMax: 10_000,
  waitingBytesMax: 16 * 1024 * 1024,
  takeoverPart: 20_000,
  sweepEveryMs: 1000,
  snapshotEvery: 5000,
  retentionMs: 0,
  retentionFailedMs: undefined,
  deletionsMax: 200,
  silenceMs: 3000,
};

/** What an owned partition is worked on with, for as long as it is owned. */
export interface Ground {
  readonly partition: number;
  readonly epoch: number;
  readonly log: PartitionLog;
  /** Logs of other partitions: children, parents and locks are there. */
  readonly logOf: (partition: number) => PartitionLog;
  readonly layouts: Layouts;
  readonly keys: Keys;
  readonly workflows: Workflows;
  /** Pinned into every child that starts here. */
  readonly limits: Limits;
  readonly messages: Messages;
  readonly heldBack: Pick<HeldBack, "reasonFor" | "onRelease">;
  /** Whether services that run fit what runs call. */
  readonly drift: Pick<Drift, "reasonFor" | "standing" | "onRelease">;
  readonly tasks: Tasks;
  readonly timers: Timers;
  readonly control: Control;
  readonly plans: Plans;
  readonly payloads: Pick<Payloads, "get" | "remove" | "runs">;
  readonly observer: TurnObserver;
  /** Keeps an ended run before it is deleted; undefined: it just goes. */
  readonly archive?: Archive | undefined;
  readonly credentials: Credentials;
  readonly clock: LogClock;
  /** This machine's clock, in milliseconds since 1970. */
  readonly now: (this: void) => number;
  readonly counts: Counts;
  readonly bounds: Bounds;
  /** For what is due, of all partitions. */
  readonly portions: Portions;
  readonly logger: Log;
  /** Aborted when the partition is left. */
  readonly signal: AbortSignal;
  /** Everything up to here is behind the checkpoint that the lease says, and has been told to the trace. */
  durable(this: void): number;
  /** Log time: what was stored before it is behind the durable checkpoint of whatever partition it is in. */
  passedMs(this: void): number;
  /** The lease still holds: looked at before commands and answers leave. */
  isLive(this: void): boolean;
  /** A bug, or a store that can't work: the partition is left, with a log line. */
  fail(this: void, error: unknown): void;
}

/** The same with what its loop adds. */
export interface Ownership extends Ground {
  readonly unfinished: Unfinished;
  readonly cuts: Cuts;
  readonly deletions: Deletions;
  readonly retentions: Retentions;
  /** Runs with a task that is held back, as far as they are remembered. */
  readonly heldRuns: Set<RunId>;
  /** An end met an event that may not be folded yet, or never will be. */
  endRefused(this: void, run: ResidentRun, expected: number): void;
  /** Something is done, more may be read. */
  roomAgain(this: void): void;
}
