import type { AttemptId, PayloadRef } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Bulk, Holds, KeyRecord, Lease, Member } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import type { Ask, AskReply_Verdict, WaitReply, WaitRequest } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import type { LogRecord } from "../engine/record.ts";
import type { LoadedPlan } from "../engine/plan.ts";
import type { RunState } from "../engine/state.ts";
import type { Turn } from "../engine/advance.ts";
import type { ActiveWorkflow } from "./front.ts";

/** A message of a partition's log. */
export interface LogMessage {
  readonly sequence: number;
  /** When the log stored it, in whole milliseconds since 1970. */
  readonly storedMs: number;
  readonly subject: string;
  readonly data: Uint8Array;
}

/** What became of a write; never thrown. */
export type Written =
  | { readonly kind: "stored"; readonly sequence: number }
  /** The expectation did not hold, and it is not our own earlier try that stands there. */
  | { readonly kind: "conflict" }
  /** It can never be stored. */
  | { readonly kind: "rejected"; readonly reason: string }
  /** Not stored for long while the stream answers others; it may still have been stored. */
  | { readonly kind: "deferred"; readonly reason: string }
  /** The signal came first; it may have been stored. */
  | { readonly kind: "abandoned" };

/** How long a write is tried. */
export interface WriteLimits {
  readonly signal: AbortSignal;
  readonly deferAfterMs?: number;
  /** Abandoned from this time on, by this machine's clock. */
  readonly giveUpAtMs?: number;
}

/** An open reader of a log, in stream order. */
export interface LogReader extends Disposable {
  /** Says that there is room again. */
  pull(): void;
  /** Sequence behind the last message given out. */
  next(): number;
}

/** Where a run's messages end, as the log's leader says, and who owned the partition then. */
export interface Positions {
  /** Sequence of the last `.e`; 0: none. */
  readonly event: number;
  readonly outcome: number;
  readonly ownerEpoch: number;
}

/** What somebody has of a run who has missed none of its messages from a position on. */
export interface AtHand {
  readonly from: number;
  /** How many of them are `.e`, none twice. */
  readonly events: number;
}

/** Where a log ends, as its leader says, and who owned the partition then. */
export interface LogTail {
  /** Of the last message, which may have been removed since; 0: there never was one. */
  readonly sequence: number;
  readonly ownerEpoch: number;
}

/** The log of one partition. Reads throw when NATS does not answer; writes are retried until their limits. */
export interface PartitionLog {
  readonly partition: number;
  read(options: {
    readonly from: number;
    readonly onMessage: (message: LogMessage) => void;
    readonly room: () => number;
  }): LogReader;
  /** All messages of a run, in order, proven complete up to now; those at hand may be left out. */
  load(runId: RunId, atHand?: AtHand): Promise<readonly LogMessage[]>;
  /** Leader read. */
  firstEvent(runId: RunId): Promise<LogMessage | undefined>;
  /** Leader reads, the owner's record last. */
  positions(runId: RunId): Promise<Positions>;
  /** The same. */
  tail(): Promise<LogTail>;
  /** An event whose doubles the fold drops. */
  append(runId: RunId, id: string, event: Uint8Array, limits: WriteLimits): Promise<Written>;
  /** The first event of a run, or conflict. */
  appendFirst(runId: RunId, event: Uint8Array, limits: WriteLimits): Promise<Written>;
  /** Stored only when `expected` is still the run's last event. */
  appendAfter(runId: RunId, expected: number, event: Uint8Array, limits: WriteLimits): Promise<Written>;
  /** Removes what a run has up to a position, ascending, events before outcomes. Throws when NATS does not answer; it is resumed by another call. */
  cut(runId: RunId, through: number): Promise<void>;
  /** Removes all that a run has from one position to another, ascending. Throws as `cut` does, and is resumed in the same way. */
  remove(runId: RunId, from: number, through: number): Promise<void>;
  /** Position of the first message of all that a run has; undefined: it has none. Leader read. */
  firstOf(runId: RunId): Promise<number | undefined>;
  /** Position of the first message of all; behind the last one when there is none. Leader read. */
  head(): Promise<number>;
  /** Writes the owner's record again when it stands no later than there, so that it outlives a cut of the head. Throws when it can't be told to have done so. */
  keepOwner(through: number, signal: AbortSignal): Promise<void>;
  /** Removes everything up to a position, whoever it is of. Throws as `cut` does. */
  cutHead(through: number): Promise<void>;
  /** The next messages from a position on, none left out, at most so many; none: that is the end of the log. Throws when NATS does not answer. */
  next(from: number, count: number, pace?: ReadPace): Promise<readonly LogMessage[]>;
  /** Writes the owner's record unless one of an equal or higher epoch of somebody else stands there. */
  writeOwner(owner: string, epoch: number, signal: AbortSignal): Promise<Written>;
  /** Sequence of the last message, and when the stream was made. */
  end(): Promise<{ readonly lastSequence: number; readonly created: string }>;
}

/** At once, unless told; or so that others have NATS, the way from it and this process in between, for about as long as each portion took. */
export type ReadPace = "at once" | "among others";

/** The work queue of attempts. */
export interface Tasks {
  /** `id`: message id of the attempt. */
  publish(method: string, id: string, task: Uint8Array, limits: WriteLimits): Promise<Written>;
}

/** A durable delay: `event` comes into the run's log at `dueMs` or up to 250 ms later, at least once. */
export interface Timer {
  readonly partition: number;
  readonly runId: RunId;
  /** Number of the run's timer, or of a closed attempt the id of its end. */
  readonly name: number | string;
}

/** The timer stream. */
export interface Timers {
  arm(timer: Timer, dueMs: number, event: Uint8Array, limits: WriteLimits): Promise<Written>;
  /** It may have fired before. */
  cancel(timer: Timer, limits: WriteLimits): Promise<Written>;
  /** Removes what a run has left, pending and fired, once nothing arms timers of it any more. Throws when NATS does not answer. */
  remove(partition: number, runId: RunId): Promise<void>;
  /** Runs that have any, as the leader says; undefined: the stream has more subjects than that. Throws as `remove` does. */
  runs(partition: number, subjectsMax: number): Promise<ReadonlySet<string> | undefined>;
}

/** A message for others, in a stream of theirs. */
export interface OwnMessage {
  readonly subject: string;
  /** Full name of its protobuf type. */
  readonly type: string;
  /** Equal for the same message. */
  readonly id: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly data: Uint8Array;
}

/** The streams of the user's. */
export interface Messages {
  /** Stored by a stream; rejected when none has the subject, or when it is ours. */
  publish(message: OwnMessage, limits: WriteLimits): Promise<Written>;
}

/** Tells the sidecars of a service to reset the call of an attempt; may get lost. */
export interface Control {
  reset(method: string, runId: RunId, attempt: AttemptId, token: Uint8Array): void;
}

/** A lease as the bucket has it. */
export interface LeaseRecord {
  readonly lease: Lease;
  readonly revision: number;
}

/** What became of a compare-and-set. `unknown`: nobody knows; read it again. */
export type Swapped =
  | { readonly kind: "held"; readonly revision: number }
  | { readonly kind: "refused" }
  | { readonly kind: "unknown" };

/** Leases of partitions, and the life signs of orchestrators. Reads throw when NATS does not answer. */
export interface Leases {
  read(partition: number): Promise<LeaseRecord | undefined>;
  /** Compare-and-set; refused by what is ours already counts as held. One try. */
  write(partition: number, lease: Lease, revision: number): Promise<Swapped>;
}

/** Life signs over core NATS: a dead leader of a stream silences buckets for 4.5 to 8 s, never these. */
export interface Beats {
  beat(orchestrator: string): void;
  /** Tells everybody that partitions have become free. */
  released(orchestrator: string): void;
  listen(onBeat: (orchestrator: string, isRelease: boolean) => void): Disposable;
}

/** The orchestrators alive and what they understand. One try each. */
export interface Members {
  announce(member: Member): Promise<void>;
  withdraw(id: string): Promise<void>;
}

/** A key's record and how long it has stood. */
export interface HeldKey {
  readonly record: KeyRecord;
  readonly revision: number;
  readonly storedMs: number;
}

/** What became of taking a key. */
export type TakenKey =
  | { readonly kind: "stored" }
  /** Another record stands there; undefined: it has been freed since. */
  | { readonly kind: "held"; readonly held: HeldKey | undefined }
  /** The signal came first; it may have been stored. */
  | { readonly kind: "abandoned" };

/** Which run holds a key. Throws when NATS does not answer within the signal. */
export interface Keys {
  read(bucket: number, hash: string): Promise<HeldKey | undefined>;
  /** `revision` 0: only when nobody holds it. An own earlier try that stands there counts as stored. */
  take(bucket: number, hash: string, record: KeyRecord, revision: number, signal: AbortSignal): Promise<TakenKey>;
  /** Removes the record of this revision; a later one stays. */
  free(bucket: number, hash: string, revision: number): Promise<void>;
}

/** Whose calls are held back, for all orchestrators. Reads throw when NATS does not answer. */
export interface HoldRecord {
  /** `revision` 0: nothing was ever held. */
  read(): Promise<{ readonly holds: Holds; readonly revision: number }>;
  /** Compare-and-set; refused by what is ours already counts as held. One try. */
  write(holds: Holds, revision: number): Promise<Swapped>;
}

/** Actions on many runs, oldest first, for all orchestrators. Reads throw when NATS does not answer. */
export interface BulkRecord {
  /** `revision` 0: there never was one. */
  read(): Promise<{ readonly bulks: readonly Bulk[]; readonly revision: number }>;
  /** Compare-and-set; refused by what is ours already counts as held. One try. */
  write(bulks: readonly Bulk[], revision: number): Promise<Swapped>;
}

/** What is too large for the log. Throws when NATS does not answer. */
export interface Payloads {
  put(service: string, runId: RunId, bytes: Uint8Array, signal: AbortSignal): Promise<PayloadRef>;
  /** Undefined: it is there no more. */
  get(ref: PayloadRef): Promise<Uint8Array | undefined>;
  /** Removes all that a run has, whoever wrote it, or what one service wrote. */
  remove(runId: RunId, service?: string): Promise<void>;
  /** Runs that have any, as the leader says; undefined: the stream has more subjects than that. */
  runs(subjectsMax: number): Promise<ReadonlySet<string> | undefined>;
}

/** What the sidecars say they offer, as it was heard here. */
export interface SidecarCatalog {
  /** Each that is alive, once for each service that it was heard of. */
  sidecars(): readonly OfferingSidecar[];
  /** Another number whenever somebody offers something else. */
  revision(): number;
  /** Called when that changes. Returns how to stop that. */
  onChange(listener: () => void): () => void;
}

/** One sidecar beside a service process. */
export interface OfferingSidecar {
  /** What people know it by. */
  readonly knownAs: string;
  readonly services: readonly string[];
  /** It takes tasks now. */
  readonly serving: boolean;
  /** How the process describes itself. */
  readonly descriptors?: PayloadRef | undefined;
}

/** Plans by the SHA-256 of their bytes; undefined: there is none. Throws when the store does not answer. */
export interface Plans {
  load(planHash: Uint8Array): Promise<LoadedPlan | undefined>;
}

/** What is deployed. Throws when the store does not answer. */
export interface Workflows {
  /** What a run that starts now is pinned to; undefined: unknown or retired. */
  active(workflow: string): Promise<ActiveWorkflow | undefined>;
  /** Hears of what has been deployed elsewhere just now. */
  refresh(): Promise<void>;
}

/** Sidecars and waiting front doors of a partition, asking its owner. */
export interface Questions {
  serve(
    partition: number,
    answers: {
      readonly ask: (ask: Ask) => Promise<AskReply_Verdict>;
      /** `tell` may be called later, once. */
      readonly wait: (request: WaitRequest, tell: (reply: WaitReply) => void) => void;
    },
  ): Disposable;
  /** Told after each reconnect: what was asked for may be lost. Returns how to stop that. */
  onReconnect(listener: () => void): () => void;
  /** Asks a partition's owner; `onReply` is called with each answer that comes until disposed. */
  wait(partition: number, request: Omit<WaitRequest, "notify">, onReply: (reply: WaitReply) => void): WaitCall;
}

/** An open question to a partition's owner. */
export interface WaitCall extends Disposable {
  /** Asks (again). Undefined answers mean that nobody owns the partition now. */
  ask(): Promise<WaitReply | undefined>;
}

/** Told of every turn of the partitions that are owned. Must not throw, and returns at once. */
export interface TurnObserver {
  /** A partition is owned from now on. Turns behind the checkpoint follow; those from `traced` up to it were another owner's. */
  opened(partition: number, position: { readonly traced: number; readonly checkpoint: number }): void;
  turn(
    run: { readonly runId: RunId; readonly partition: number; readonly plan: LoadedPlan; readonly state: RunState },
    record: LogRecord,
    turn: Turn,
  ): void;
  closed(partition: number): void;
  /** What a later owner need not tell again, beside this checkpoint. */
  tracedUpTo(partition: number, checkpoint: number): number;
}
