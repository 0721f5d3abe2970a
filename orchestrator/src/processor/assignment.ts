import type { Log } from "../../../runtime/src/log.ts";
import { takePartition } from "./holding.ts";
import type { Holding, HoldingOptions } from "./holding.ts";
import type { Beats, LeaseRecord, Leases } from "./ports.ts";

/** Which partitions this orchestrator owns. */
export interface Assignment {
  held(partition: number): Holding | undefined;
  /** Where the owner of a partition was last known to stand; undefined: never seen. */
  checkpointOf(partition: number): number | undefined;
  /** Releases everything: others go on at once, nothing is carried out twice. */
  release(): Promise<void>;
}

/** What is needed to own partitions. */
export interface AssignmentOptions {
  readonly orchestrator: string;
  readonly partitions: number;
  readonly leases: Leases;
  readonly beats: Beats;
  readonly isConnected: () => boolean;
  /** Without a beat for so long an orchestrator counts as dead. */
  readonly silenceMs: number;
  readonly now: () => number;
  readonly logger: Log;
  readonly toHolding: (partition: number) => HoldingOptions;
  /** Told when a partition begins to be worked on; what it returns is disposed of at its end. */
  readonly onHeld: (partition: number, holding: Holding) => Disposable;
}

const lookEveryMs = 500;
const retakeAfterMs = 5000;

/** Beats, and takes every partition that is free: never owned, released, or of an orchestrator that has fallen silent. */
export function openAssignment(options: AssignmentOptions): Assignment {
  const { orchestrator, leases, beats, logger, now } = options;
  const holdings = new Map<number, Holding>();
  const taking = new Map<number, Promise<void>>();
  const declinedUntil = new Map<number, number>();
  const checkpoints = new Map<number, number>();
  const beatMs = new Map<string, number>();
  let isReleasing = false;
  let wasConnected = false;
  let listeningSinceMs = now();

  const isSilent = (owner: string): boolean =>
    now() - Math.max(beatMs.get(owner) ?? 0, listeningSinceMs) > options.silenceMs;
  const isFree = (found: LeaseRecord | undefined): boolean =>
    found === undefined ||
    found.lease.owner === "" ||
    found.lease.owner === orchestrator ||
    isSilent(found.lease.owner);

  const look = async (partition: number): Promise<void> => {
    const found = await leases.read(partition);
    if (found !== undefined) checkpoints.set(partition, found.lease.checkpoint);
    if (!isFree(found) || isReleasing) return;
    const holding = await takePartition(options.toHolding(partition), found);
    if (holding === undefined) return;
    holdings.set(partition, holding);
    const served = options.onHeld(partition, holding);
    void holding.over.then((why) => {
      holdings.delete(partition);
      served[Symbol.dispose]();
      if (why.kind === "failed") declinedUntil.set(partition, now() + retakeAfterMs);
      if (why.kind === "outdated") declinedUntil.set(partition, Infinity);
    });
    if (isReleasing) await holding.release();
  };
  const lookAtAll = (): void => {
    if (!options.isConnected()) {
      wasConnected = false;
      return;
    }
    if (!wasConnected) {
      // While the connection was down nobody's beats were heard.
      wasConnected = true;
      listeningSinceMs = now();
    }
    for (let partition = 0; partition < options.partitions; partition++) {
      if (isReleasing || holdings.has(partition) || taking.has(partition)) continue;
      if ((declinedUntil.get(partition) ?? 0) > now()) continue;
      const taken = look(partition)
        .catch((error: unknown) => logger.warn("a lease can't be looked at now", { partition, error }))
        .finally(() => taking.delete(partition));
      taking.set(partition, taken);
    }
  };
  const listener = beats.listen((from, isRelease) => {
    beatMs.set(from, now());
    if (isRelease && from !== orchestrator) lookAtAll();
  });
  const timer = setInterval(() => {
    beats.beat(orchestrator);
    lookAtAll();
  }, lookEveryMs);
  beats.beat(orchestrator);
  lookAtAll();

  return {
    held: (partition) => holdings.get(partition),
    checkpointOf: (partition) => holdings.get(partition)?.partition.checkpoint() ?? checkpoints.get(partition),
    release: async () => {
      isReleasing = true;
      await Promise.all(taking.values());
      await Promise.all([...holdings.values()].map((holding) => holding.release()));
      clearInterval(timer);
      listener[Symbol.dispose]();
      beats.released(orchestrator);
    },
  };
}
