import type { Lease } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import type { Log } from "../../../runtime/src/log.ts";
import { pause } from "../../../runtime/src/pause.ts";
import type { HeldBack } from "./heldBack.ts";
import { takeLease } from "./leaseKeeper.ts";
import type { LeaseKeeper } from "./leaseKeeper.ts";
import { Outdated } from "./outdated.ts";
import type { Ground } from "./ownership.ts";
import { openPartition } from "./partition.ts";
import type { Overtaken, Partition } from "./partition.ts";
import type { LeaseRecord, Leases, PartitionLog, TurnObserver } from "./ports.ts";
import { untilRead } from "./reading.ts";
import type { Swept } from "./kept.ts";
import type { Window } from "./takeover.ts";

/** A partition that this orchestrator owns. */
export interface Holding {
  readonly partition: Partition;
  /** Resolves when it is owned no more, for whatever reason. */
  readonly over: Promise<HoldingEnd>;
  /** Everything up to here is behind the checkpoint that the lease says, and has been told to the trace. */
  durable(): number;
  /** Hands it over: everything read is made durable, then the lease is free. */
  release(): Promise<void>;
}

export type HoldingEnd =
  | { readonly kind: "released" | "lost" | "failed" }
  | Extract<Overtaken, { readonly kind: "outdated" }>;

/** What is needed to own a partition. */
export interface HoldingOptions {
  readonly partition: number;
  readonly orchestrator: string;
  readonly leases: Leases;
  readonly log: PartitionLog;
  readonly logger: Log;
  readonly observer: TurnObserver;
  readonly now: () => number;
  /** What operators hold back has to be known before anything is carried out. */
  readonly heldBack: HeldBack;
  readonly toGround: (own: Pick<Ground, "epoch" | "signal" | "durable" | "isLive" | "fail">) => Ground;
}

/** What is not durable by then is left to the next owner. */
const finishMaxMs = 10_000;

/**
 * Takes a partition whose lease is free, as `found` says: the lease by compare-and-set, then the owner's record in the log, then the work.
 * Undefined: somebody else was faster.
 */
export async function takePartition(
  options: HoldingOptions,
  found: LeaseRecord | undefined,
): Promise<Holding | undefined> {
  const holding = new OwnedPartition(options);
  return (await holding.take(found)) ? holding : undefined;
}

class OwnedPartition {
  readonly #options: HoldingOptions;
  readonly #left = new AbortController();
  readonly #over = Promise.withResolvers<HoldingEnd>();
  #lease: LeaseKeeper | undefined;
  #working: Partition | undefined;
  #streamCreated = "";
  #isOutdated = false;

  constructor(options: HoldingOptions) {
    this.#options = options;
  }

  get partition(): Partition {
    if (this.#working === undefined) throw new Error("A partition is asked for before it is owned.");
    return this.#working;
  }

  get over(): Promise<HoldingEnd> {
    return this.#over.promise;
  }

  async take(found: LeaseRecord | undefined): Promise<boolean> {
    const { partition, orchestrator, log, logger, observer, heldBack, toGround } = this.#options;
    const { signal } = this.#left;
    const lease = await takeLease(
      { ...this.#options, progress: () => this.#progress(found?.lease), onLost: () => this.#end({ kind: "lost" }) },
      found,
    );
    if (lease === undefined) return false;
    this.#lease = lease;
    this.#streamCreated = lease.before.streamCreated;
    const written = await log.writeOwner(orchestrator, lease.epoch, signal);
    if (written.kind !== "stored") {
      this.#end({ kind: "lost" });
      return false;
    }
    const { created } = await untilRead({ signal, logger }, "the end of a log", () => log.end());
    this.#streamCreated = created;
    await untilRead({ signal, logger }, "what is held back", () => heldBack.refresh());
    const window = toWindow(lease.before, written.sequence, created, logger, partition);
    const { checkpoint } = window;
    logger.info("took a partition", { partition, epoch: lease.epoch, from: lease.before.owner, ...window });
    observer.opened(partition, { traced: Math.min(lease.before.traced, checkpoint), checkpoint });
    void this.over.then(() => observer.closed(partition));
    const ground = toGround({
      epoch: lease.epoch,
      signal,
      durable: () => lease.durable(),
      isLive: () => lease.isLive() && !signal.aborted,
      fail: (error) => this.#fail(error),
    });
    this.#working = openPartition(ground, window, (why) => this.#onOvertaken(why));
    return true;
  }

  durable(): number {
    return this.#lease?.durable() ?? 0;
  }

  release(): Promise<void> {
    return this.#release({ kind: "released" });
  }

  async #release(why: HoldingEnd): Promise<void> {
    const { signal } = this.#left;
    const isDone = await Promise.race([this.#working?.finish() ?? false, pause(finishMaxMs, signal).then(() => false)]);
    // One that is not done is not free: the next owner has to know that commands may have been carried out.
    if (isDone && !signal.aborted) await this.#lease?.release();
    // We go on to live, and never take it again: others must not wait for our death.
    else if (why.kind === "outdated" && !signal.aborted) await this.#lease?.giveUp();
    this.#end(why);
  }

  #onOvertaken(why: Overtaken): void {
    const { logger, partition } = this.#options;
    // What follows may be of that kind, too.
    if (this.#isOutdated) return;
    this.#isOutdated = why.kind === "outdated";
    logger[why.kind === "outdated" ? "error" : "warn"](overtakenText[why.kind], { partition, ...why });
    if (why.kind === "outdated") void this.#release(why);
    else this.#end({ kind: "lost" });
  }

  #fail(error: unknown): void {
    if (this.#left.signal.aborted) return;
    if (error instanceof Outdated) {
      const { needs, sequence } = error;
      this.#onOvertaken({ kind: "outdated", needs, sequence });
      return;
    }
    this.#options.logger.error("the work on a partition failed; it is left", {
      partition: this.#options.partition,
      error,
    });
    this.#end({ kind: "failed" });
  }

  #end(why: HoldingEnd): void {
    if (this.#left.signal.aborted) return;
    this.#left.abort();
    this.#lease?.stop();
    this.#working?.leave();
    this.#over.resolve(why);
  }

  #progress(
    before: Lease | undefined,
  ): Pick<Lease, "checkpoint" | "traced" | keyof Swept | "deleting" | "streamCreated"> {
    const { observer, partition } = this.#options;
    const checkpoint = this.#working?.checkpoint() ?? before?.checkpoint ?? 0;
    const traced = this.#working === undefined ? (before?.traced ?? 0) : observer.tracedUpTo(partition, checkpoint);
    const swept = this.#working?.swept() ?? sweptBefore(before);
    const deleting = this.#working?.deleting() ?? before?.deleting ?? 0;
    return { checkpoint, traced, ...swept, deleting, streamCreated: this.#streamCreated };
  }
}

const overtakenText: Readonly<Record<Overtaken["kind"], string>> = {
  expired: "the lease of a partition is too old; it is left",
  overtaken: "another orchestrator owns the partition by its log; it is left",
  outdated:
    "the log has an event that only a newer version understands; the partition waits for an orchestrator of that version",
};

function toWindow(before: Lease, head: number, created: string, logger: Log, partition: number): Window {
  const isAnotherStream = before.streamCreated !== "" && before.streamCreated !== created;
  if (!isAnotherStream && before.checkpoint < head) {
    const { deleting } = before;
    return {
      checkpoint: before.checkpoint,
      head,
      swept: sweptBefore(before),
      deleting,
      isDoubtful: before.owner !== "",
    };
  }
  const checkpoint = isAnotherStream ? 0 : Math.min(before.olderCheckpoint, head - 1);
  logger.error("THE LOG LOST DATA: it ends before what had been folded; going on from an older checkpoint", {
    partition,
    checkpoint: before.checkpoint,
    head,
    goesOnFrom: checkpoint,
    isAnotherStream,
  });
  const swept = notBeyond(sweptBefore(before), checkpoint);
  return { checkpoint, head, swept, deleting: isAnotherStream ? 0 : before.deleting, isDoubtful: true };
}

function sweptBefore(before: Lease | undefined): Swept {
  const { swept = 0, sweptFailed = 0, sweeps = [], shortestRetentionMs = 0 } = before ?? {};
  return { swept, sweptFailed, sweeps, shortestRetentionMs };
}

function notBeyond({ swept, sweptFailed, sweeps, shortestRetentionMs }: Swept, end: number): Swept {
  return {
    shortestRetentionMs,
    swept: Math.min(swept, end),
    sweptFailed: Math.min(sweptFailed, end),
    sweeps: sweeps.map((one) => ({ retentionMs: one.retentionMs, swept: Math.min(one.swept, end) })),
  };
}
