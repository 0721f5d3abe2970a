import type { Log } from "../../../runtime/src/log.ts";
import { takePartition } from "./holding.ts";
import type { Holding, HoldingOptions } from "./holding.ts";
import { leaseMs } from "./leaseKeeper.ts";
import type { Beats, LeaseRecord, Leases } from "./ports.ts";

/** Which partitions this orchestrator owns. */
export interface Assignment {
  held(partition: number): Holding | undefined;
  /** Where the owner of a partition was last known to stand; undefined: never seen. */
  checkpointOf(partition: number): number | undefined;
  /** What the lease of a partition was last known to say of its checkpoint. */
  durableOf(partition: number): number | undefined;
  /** Releases everything: others go on at once, nothing is carried out twice. */
  release(): Promise<void>;
}

/** What is needed to own partitions. */
export interface AssignmentOptions {
  readonly orchestrator: string;
  readonly partitions: number;
  readonly leases: Leases;
  readonly beats: Beats;
  /** Since when signs of life are heard without a break; undefined: they are not. */
  readonly hearsSinceMs: () => number | undefined;
  /** Without a beat for so long an orchestrator counts as dead. */
  readonly silenceMs: number;
  readonly now: () => number;
  readonly logger: Log;
  readonly toHolding: (partition: number) => HoldingOptions;
  /** Told when a partition begins to be worked on; what it returns is disposed of at its end. */
  readonly onHeld: (partition: number, holding: Holding) => Disposable;
}

const lookEveryMs = 500;
/** Nobody goes by a lease that has stood unchanged for so long. */
const staleMs = leaseMs + 5_000;
const retakeAfterMs = 5000;

/** Beats, and takes every partition that is free: never owned, released, or of an orchestrator that has fallen silent. */
export function openAssignment(options: AssignmentOptions): Assignment {
  return new Taker(options);
}

class Taker implements Assignment {
  readonly #options: AssignmentOptions;
  readonly #holdings = new Map<number, Holding>();
  readonly #taking = new Map<number, Promise<void>>();
  readonly #declinedUntilMs = new Map<number, number>();
  readonly #checkpoints = new Map<number, number>();
  readonly #beatMs = new Map<string, number>();
  /** Since when a lease has been seen to stand as it does. */
  readonly #standing = new Map<number, { readonly revision: number; readonly sinceMs: number }>();
  readonly #listener: Disposable;
  readonly #timer: NodeJS.Timeout;
  readonly #openedMs: number;
  #isReleasing = false;

  constructor(options: AssignmentOptions) {
    const { orchestrator, beats, now } = options;
    this.#options = options;
    this.#openedMs = now();
    this.#listener = beats.listen((from, isRelease) => {
      this.#beatMs.set(from, now());
      if (isRelease && from !== orchestrator) this.#lookAtAll();
    });
    this.#timer = setInterval(() => {
      beats.beat(orchestrator);
      this.#lookAtAll();
    }, lookEveryMs);
    beats.beat(orchestrator);
    this.#lookAtAll();
  }

  held(partition: number): Holding | undefined {
    return this.#holdings.get(partition);
  }

  checkpointOf(partition: number): number | undefined {
    return this.#holdings.get(partition)?.partition.checkpoint() ?? this.#checkpoints.get(partition);
  }

  durableOf(partition: number): number | undefined {
    return this.#holdings.get(partition)?.durable() ?? this.#checkpoints.get(partition);
  }

  async release(): Promise<void> {
    this.#isReleasing = true;
    await Promise.all(this.#taking.values());
    await Promise.all([...this.#holdings.values()].map((holding) => holding.release()));
    clearInterval(this.#timer);
    this.#listener[Symbol.dispose]();
    this.#options.beats.released(this.#options.orchestrator);
  }

  #lookAtAll(): void {
    const { hearsSinceMs, now, partitions, logger } = this.#options;
    if (hearsSinceMs() === undefined) return;
    for (let partition = 0; partition < partitions; partition++) {
      if (this.#isReleasing || this.#holdings.has(partition) || this.#taking.has(partition)) continue;
      if ((this.#declinedUntilMs.get(partition) ?? 0) > now()) continue;
      const taken = this.#look(partition)
        .catch((error: unknown) => logger.warn("a lease can't be looked at now", { partition, error }))
        .finally(() => this.#taking.delete(partition));
      this.#taking.set(partition, taken);
    }
  }

  async #look(partition: number): Promise<void> {
    const { leases, toHolding, onHeld, now } = this.#options;
    const found = await leases.read(partition);
    if (found !== undefined) this.#checkpoints.set(partition, found.lease.checkpoint);
    const isStale = found !== undefined && this.#isStale(partition, found.revision);
    if (!(isStale || this.#isFree(found)) || this.#isReleasing) return;
    const holding = await takePartition(toHolding(partition), found);
    if (holding === undefined) return;
    this.#holdings.set(partition, holding);
    const served = onHeld(partition, holding);
    void holding.over.then((why) => {
      this.#holdings.delete(partition);
      served[Symbol.dispose]();
      if (why.kind === "failed") this.#declinedUntilMs.set(partition, now() + retakeAfterMs);
      if (why.kind === "outdated") this.#declinedUntilMs.set(partition, Infinity);
    });
    if (this.#isReleasing) await holding.release();
  }

  /**
   * Each renewal makes another revision of it: a holder whose lease stands for longer than it lasts has left its partition, whether or not we hear anything
   * of it. Connections that never last for the time of silence, or a clock that was set back, would leave it to nobody otherwise.
   */
  #isStale(partition: number, revision: number): boolean {
    const now = this.#options.now();
    const seen = this.#standing.get(partition);
    if (seen?.revision === revision && seen.sinceMs <= now) return now - seen.sinceMs > staleMs;
    this.#standing.set(partition, { revision, sinceMs: now });
    return false;
  }

  #isFree(found: LeaseRecord | undefined): boolean {
    const owner = found?.lease.owner ?? "";
    return owner === "" || owner === this.#options.orchestrator || this.#isSilent(owner);
  }

  #isSilent(owner: string): boolean {
    const { now, silenceMs, hearsSinceMs } = this.#options;
    // While it was away nobody's beats were heard, however short that was and whatever went before it.
    const heardMs = Math.max(this.#beatMs.get(owner) ?? 0, this.#openedMs, hearsSinceMs() ?? Infinity);
    return now() - heardMs > silenceMs;
  }
}
