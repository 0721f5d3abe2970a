import type { Lease } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import type { Swept } from "./kept.ts";
import type { Log } from "../../../runtime/src/log.ts";
import type { LeaseRecord, Leases } from "./ports.ts";

/** What keeping a lease needs. */
export interface LeaseKeeperOptions {
  readonly partition: number;
  readonly orchestrator: string;
  readonly leases: Leases;
  readonly now: () => number;
  readonly logger: Log;
  /** What the next renewal says. */
  readonly progress: () => Pick<Lease, "checkpoint" | "traced" | keyof Swept | "deleting" | "streamCreated">;
  /** Called once, when the lease is another's or too old. */
  readonly onLost: () => void;
}

const renewEveryMs = 1000;
/** Counted from the sending of the last confirmed renewal. Elections take up to 9 s and may be repeated. */
export const leaseMs = 15_000;
const olderAfterMs = 60_000;
/** An owner of whom no sign of life comes. */
const nobody = "-";
const releaseTries = 5;

/** Takes a free lease and renews it each second by compare-and-set; undefined when somebody else was faster. */
export async function takeLease(
  options: LeaseKeeperOptions,
  found: LeaseRecord | undefined,
): Promise<LeaseKeeper | undefined> {
  const { leases, partition, orchestrator, now } = options;
  const before = found?.lease ?? noLease;
  const epoch = before.epoch + 1;
  const sentMs = now();
  const taken = await leases.write(partition, { ...before, owner: orchestrator, epoch }, found?.revision ?? 0);
  return taken.kind === "held" ? new LeaseKeeper(options, before, { revision: taken.revision, sentMs }) : undefined;
}

const noLease: Lease = {
  owner: "",
  epoch: 0,
  checkpoint: 0,
  olderCheckpoint: 0,
  streamCreated: "",
  traced: 0,
  swept: 0,
  sweptFailed: 0,
  sweeps: [],
  shortestRetentionMs: 0,
  deleting: 0,
};

/** A held lease. */
export class LeaseKeeper {
  /** As the last owner left it. */
  readonly before: Lease;
  readonly epoch: number;
  readonly #options: LeaseKeeperOptions;
  readonly #timer: NodeJS.Timeout;
  #confirmedMs: number;
  #revision: number;
  #durable = 0;
  #isOver = false;
  #renewing: Promise<unknown> | undefined;
  /** Checkpoints that are one to two minutes old: what a log that lost its end still has. */
  #older: { readonly value: number; readonly next: number; readonly nextMs: number };

  constructor(
    options: LeaseKeeperOptions,
    before: Lease,
    taken: { readonly revision: number; readonly sentMs: number },
  ) {
    this.before = before;
    this.epoch = before.epoch + 1;
    this.#options = options;
    this.#confirmedMs = taken.sentMs;
    this.#revision = taken.revision;
    const { olderCheckpoint } = before;
    this.#older = { value: olderCheckpoint, next: olderCheckpoint, nextMs: taken.sentMs + olderAfterMs };
    this.#timer = setInterval(() => this.#tick(), renewEveryMs);
  }

  /** Confirmed lately enough to act on it. */
  isLive(): boolean {
    return !this.#isOver && this.#options.now() - this.#confirmedMs < leaseMs;
  }

  /** What the last confirmed renewal says of checkpoint and trace, whichever is behind. */
  durable(): number {
    return this.#durable;
  }

  /** Stops renewing; the lease stays as it is. */
  stop(): void {
    this.#isOver = true;
    clearInterval(this.#timer);
  }

  /** Stops renewing and makes the partition free, if NATS lets it: all that was asked for is carried out. */
  release(): Promise<void> {
    return this.#end("");
  }

  /** The same, where not all of it is known to be: whoever takes the partition next has to see to that, as after a death. */
  giveUp(): Promise<void> {
    return this.#end(nobody);
  }

  async #end(owner: string): Promise<void> {
    clearInterval(this.#timer);
    await this.#renewing;
    for (let i = 0; i < releaseTries && !this.#isOver; i++) {
      if (await this.#renew(owner).catch(() => false)) break;
    }
    this.stop();
  }

  #tick(): void {
    const { logger, partition } = this.#options;
    if (!this.isLive()) {
      logger.error("the lease of a partition could not be renewed in time; it is left", {
        partition,
        epoch: this.epoch,
      });
      this.#lose();
      return;
    }
    this.#renewing ??= this.#renew(this.#options.orchestrator)
      .catch((error: unknown) => {
        logger.error("the lease of a partition can't be renewed; it is left", { partition, error });
        this.#lose();
      })
      .finally(() => (this.#renewing = undefined));
  }

  /** One try; true when it is confirmed. */
  async #renew(owner: string): Promise<boolean> {
    const { leases, partition, orchestrator, logger, progress, now } = this.#options;
    const sentMs = now();
    const lease: Lease = { ...progress(), owner, epoch: this.epoch, olderCheckpoint: this.#older.value };
    if (sentMs >= this.#older.nextMs) {
      this.#older = { value: this.#older.next, next: lease.checkpoint, nextMs: sentMs + olderAfterMs };
    }
    const swapped = await leases.write(partition, lease, this.#revision);
    // Once it has been too old it stays so: timers and ends have been let go on that ground.
    if (!this.isLive()) return false;
    if (swapped.kind === "held") {
      this.#revision = swapped.revision;
      this.#confirmedMs = sentMs;
      this.#durable = Math.min(lease.checkpoint, lease.traced);
      return true;
    }
    // An own try that got lost on the way back may stand there: only another owner's record is a refusal.
    const stands = await leases.read(partition).catch(() => "unknown" as const);
    if (stands === "unknown") return false;
    if (stands?.lease.owner === orchestrator && stands.lease.epoch === this.epoch) {
      this.#revision = stands.revision;
      return false;
    }
    logger.warn("lost the lease of a partition", {
      partition,
      epoch: this.epoch,
      owner: stands?.lease.owner,
      newEpoch: stands?.lease.epoch,
    });
    this.#lose();
    return false;
  }

  #lose(): void {
    if (this.#isOver) return;
    this.stop();
    this.#options.onLost();
  }
}
