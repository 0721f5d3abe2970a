import type { Lease } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import type { Log } from "../../../runtime/src/log.ts";
import { pause } from "../../../runtime/src/pause.ts";
import type { Ground } from "./ownership.ts";
import { openPartition } from "./partition.ts";
import type { Overtaken, Partition } from "./partition.ts";
import type { LeaseRecord, Leases, PartitionLog, TurnObserver } from "./ports.ts";
import type { Window } from "./takeover.ts";

/** A partition that this orchestrator owns. */
export interface Holding {
  readonly partition: Partition;
  readonly epoch: number;
  /** Resolves when it is owned no more, for whatever reason. */
  readonly over: Promise<HoldingEnd>;
  /** Hands it over: everything read is made durable, then the lease is free. */
  release(): Promise<void>;
}

export type HoldingEnd = { readonly kind: "released" | "lost" | "failed" } | Extract<Overtaken, { readonly kind: "outdated" }>;

/** What is needed to own a partition. */
export interface HoldingOptions {
  readonly partition: number;
  readonly orchestrator: string;
  readonly leases: Leases;
  readonly log: PartitionLog;
  readonly logger: Log;
  readonly toGround: (own: Pick<Ground, "epoch" | "signal" | "isLive" | "fail">) => Ground;
  readonly observer: TurnObserver;
}

const renewEveryMs = 1000;
/** Counted from the sending of the last confirmed renewal. Elections take up to 9 s and may be repeated. */
const leaseMs = 15_000;
const olderAfterMs = 60_000;
/** What is not durable by then is left to the next owner. */
const finishMaxMs = 10_000;
const releaseTries = 5;

/**
 * Takes a partition whose lease is free, as `found` says: the lease by compare-and-set, then the owner's record in the log, then the work.
 * Undefined: somebody else was faster.
 */
export async function takePartition(options: HoldingOptions, found: LeaseRecord | undefined): Promise<Holding | undefined> {
  const { partition, orchestrator, leases, log, logger } = options;
  const epoch = (found?.lease.epoch ?? 0) + 1;
  const before = found?.lease ?? noLease;
  const sentMs = Date.now();
  const taken = await leases.write(partition, { ...before, owner: orchestrator, epoch }, found?.revision ?? 0);
  if (taken.kind !== "held") return undefined;

  const left = new AbortController();
  const over = Promise.withResolvers<HoldingEnd>();
  let confirmedMs = sentMs;
  let revision = taken.revision;
  let working: Partition | undefined;
  const end = (why: HoldingEnd): void => {
    if (left.signal.aborted) return;
    left.abort();
    working?.leave();
    over.resolve(why);
  };
  const isLive = (): boolean => !left.signal.aborted && Date.now() - confirmedMs < leaseMs;
  const fail = (error: unknown): void => {
    if (left.signal.aborted) return;
    logger.error("the work on a partition failed; it is left", { partition, error });
    end({ kind: "failed" });
  };
  const ground = options.toGround({ epoch, signal: left.signal, isLive, fail });
  const older = openOlder(before.olderCheckpoint);

  /** One try; true when it is confirmed. */
  const renewal = async (owner: string): Promise<boolean> => {
    const lease: Lease = { ...leaseOf(working, before, options, owner, epoch), streamCreated: created, olderCheckpoint: older.value() };
    older.note(lease.checkpoint);
    const atMs = Date.now();
    const swapped = await leases.write(partition, lease, revision);
    if (swapped.kind === "held") {
      revision = swapped.revision;
      confirmedMs = atMs;
      return true;
    }
    // An own try that got lost on the way back may stand there: only another owner's record is a refusal.
    const stands = await leases.read(partition).catch(() => "unknown" as const);
    if (stands === "unknown") return false;
    if (stands?.lease.owner !== orchestrator || stands.lease.epoch !== epoch) {
      logger.warn("lost the lease of a partition", { partition, epoch, owner: stands?.lease.owner, newEpoch: stands?.lease.epoch });
      end({ kind: "lost" });
      return false;
    }
    revision = stands.revision;
    return false;
  };
  let created = before.streamCreated;
  let renewing: Promise<unknown> | undefined;
  const timer = setInterval(() => {
    if (!isLive() && !left.signal.aborted) {
      logger.error("the lease of a partition could not be renewed in time; it is left", { partition, epoch });
      end({ kind: "lost" });
    }
    renewing ??= renewal(orchestrator)
      .catch(fail)
      .finally(() => (renewing = undefined));
  }, renewEveryMs);
  void over.promise.then(() => clearInterval(timer));

  const written = await log.writeOwner(orchestrator, epoch, left.signal);
  if (written.kind !== "stored") {
    end({ kind: "lost" });
    return undefined;
  }
  const log0 = await untilRead(log, left.signal);
  if (log0 === undefined) return undefined;
  created = log0.created;
  const window = toWindow(before, written.sequence, created, logger, partition);
  logger.info("took a partition", { partition, epoch, from: before.owner, ...window });
  const release = async (why: HoldingEnd): Promise<void> => {
    const isDone = await Promise.race([working?.finish() ?? false, pause(finishMaxMs, left.signal).then(() => false)]);
    clearInterval(timer);
    await renewing;
    // One that is not done is not free: the next owner has to know that commands may have been carried out.
    for (let i = 0; isDone && i < releaseTries && !left.signal.aborted; i++) {
      if (await renewal("").catch(() => false)) break;
    }
    end(why);
  };
  const onOvertaken = (why: Overtaken): void => {
    logger[why.kind === "outdated" ? "error" : "warn"](overtakenText[why.kind], { partition, ...why });
    if (why.kind === "outdated") void release(why);
    else end({ kind: "lost" });
  };
  const { checkpoint } = window;
  options.observer.opened(partition, { traced: Math.min(before.traced, checkpoint), checkpoint });
  void over.promise.then(() => options.observer.closed(partition));
  working = openPartition(ground, window, onOvertaken);
  return { partition: working, epoch, over: over.promise, release: () => release({ kind: "released" }) };
}

const noLease: Lease = { owner: "", epoch: 0, checkpoint: 0, olderCheckpoint: 0, streamCreated: "", traced: 0 };

const overtakenText: Readonly<Record<Overtaken["kind"], string>> = {
  expired: "the lease of a partition is too old; it is left",
  overtaken: "another orchestrator owns the partition by its log; it is left",
  outdated: "the log has an event that only a newer version understands; the partition waits for an orchestrator of that version",
};

function leaseOf(
  working: Partition | undefined,
  before: Lease,
  { observer, partition }: HoldingOptions,
  owner: string,
  epoch: number,
): Omit<Lease, "streamCreated" | "olderCheckpoint"> {
  const checkpoint = working?.checkpoint() ?? before.checkpoint;
  const traced = working === undefined ? before.traced : observer.tracedUpTo(partition, checkpoint);
  return { owner, epoch, checkpoint, traced };
}

/** Remembers a checkpoint that is one to two minutes old: what a log that lost its end still has. */
function openOlder(first: number): { readonly value: () => number; readonly note: (checkpoint: number) => void } {
  let [older, next, nextMs] = [first, first, Date.now() + olderAfterMs];
  return {
    value: () => older,
    note: (checkpoint) => {
      if (Date.now() < nextMs) return;
      [older, next, nextMs] = [next, checkpoint, Date.now() + olderAfterMs];
    },
  };
}

function toWindow(before: Lease, head: number, created: string, logger: Log, partition: number): Window {
  const isAnother = before.streamCreated !== "" && before.streamCreated !== created;
  const isShort = before.checkpoint >= head;
  if (!isAnother && !isShort) {
    return { checkpoint: before.checkpoint, head, isDoubtful: before.owner !== "" };
  }
  const checkpoint = isAnother ? 0 : Math.min(before.olderCheckpoint, head - 1);
  logger.error("THE LOG LOST DATA: it ends before what had been folded; going on from an older checkpoint", {
    partition,
    checkpoint: before.checkpoint,
    head,
    goesOnFrom: checkpoint,
    isAnotherStream: isAnother,
  });
  return { checkpoint, head, isDoubtful: true };
}

async function untilRead(
  log: PartitionLog,
  signal: AbortSignal,
): Promise<Awaited<ReturnType<PartitionLog["end"]>> | undefined> {
  while (!signal.aborted) {
    const end = await log.end().catch(() => undefined);
    if (end !== undefined) return end;
    await pause(100, signal);
  }
  return undefined;
}
