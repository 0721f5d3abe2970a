import { Buffer } from "node:buffer";
import type { HeldKey, HoldRecord, Keys, Leases } from "../../../orchestrator/src/processor/ports.ts";
import { Holds, KeyRecord, Lease } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import { growingPause, pause } from "../../../runtime/src/pause.ts";
import type { Link, Network, Place } from "./network.ts";
import type { World } from "./world.ts";

/** One record of a bucket. */
export interface BucketRecord {
  readonly value: Uint8Array;
  readonly revision: number;
  readonly storedMs: number;
}

/** A key-value bucket. */
export interface Bucket {
  readonly records: Map<string, BucketRecord>;
  revision: number;
}

/** An empty bucket. */
export function openBucket(): Bucket {
  return { records: new Map(), revision: 0 };
}

type Swapped =
  | Exclude<Awaited<ReturnType<Leases["write"]>>, { readonly kind: "refused" }>
  | { readonly kind: "refused"; readonly stands: BucketRecord | undefined };

async function swap(
  world: World,
  network: Network,
  link: Link,
  place: Place,
  {
    bucket,
    key,
    value,
    revision,
  }: { readonly bucket: Bucket; readonly key: string; readonly value: Uint8Array; readonly revision: number },
): Promise<Swapped> {
  const answer = await network.call(link, place, () => {
    if ((bucket.records.get(key)?.revision ?? 0) !== revision) return 0;
    bucket.revision += 1;
    bucket.records.set(key, { value, revision: bucket.revision, storedMs: Math.floor(world.scheduler.nowMs) });
    return bucket.revision;
  });
  if (answer === undefined) return { kind: "unknown" };
  if (answer > 0) return { kind: "held", revision: answer };
  const stands = await network.call(link, place, () => ({ record: bucket.records.get(key) }));
  if (stands === undefined) return { kind: "unknown" };
  const { record } = stands;
  if (record === undefined || Buffer.compare(record.value, value) !== 0) return { kind: "refused", stands: record };
  return { kind: "held", revision: record.revision };
}

async function read(
  network: Network,
  link: Link,
  place: Place,
  bucket: Bucket,
  key: string,
): Promise<BucketRecord | undefined> {
  const answer = await network.call(link, place, () => ({ record: bucket.records.get(key) }));
  if (answer === undefined) throw new Error("the bucket does not answer");
  return answer.record;
}

/** Leases of partitions; `onHeld` is told each one that was stored. */
export function toLeases(world: World, network: Network, link: Link, bucket: Bucket): Leases {
  return {
    read: async (partition) => {
      const found = await read(network, link, "leases", bucket, String(partition));
      return found === undefined ? undefined : { lease: Lease.decode(found.value), revision: found.revision };
    },
    write: (partition, lease, revision) =>
      swap(world, network, link, "leases", {
        bucket,
        key: String(partition),
        value: Lease.encode(lease).finish(),
        revision,
      }),
  };
}

/** Which run holds a key. */
export function toKeys(world: World, network: Network, link: Link, bucket: Bucket): Keys {
  return {
    read: async (place, hash) => toHeldKey(await read(network, link, "keys", bucket, `${place}.${hash}`)),
    take: async (place, hash, record, revision, signal) => {
      const nextPauseMs = growingPause(50, 1_000);
      const value = KeyRecord.encode(record).finish();
      while (!signal.aborted) {
        const swapped = await swap(world, network, link, "keys", { bucket, key: `${place}.${hash}`, value, revision });
        if (swapped.kind === "held") return { kind: "stored" };
        if (swapped.kind === "refused") return { kind: "held", held: toHeldKey(swapped.stands) };
        await pause(nextPauseMs(), signal);
      }
      return { kind: "abandoned" };
    },
    free: async (place, hash, revision) => {
      const key = `${place}.${hash}`;
      const answer = await network.call(link, "keys", () => {
        if (bucket.records.get(key)?.revision === revision) bucket.records.delete(key);
        return true;
      });
      if (answer === undefined) throw new Error("the bucket does not answer");
    },
  };
}

function toHeldKey(found: BucketRecord | undefined): HeldKey | undefined {
  if (found === undefined) return undefined;
  return { record: KeyRecord.decode(found.value), revision: found.revision, storedMs: found.storedMs };
}

/** Whose calls are held back. */
export function toHolds(world: World, network: Network, link: Link, bucket: Bucket): HoldRecord {
  return {
    read: async () => {
      const found = await read(network, link, "keys", bucket, "holds");
      return { holds: Holds.decode(found?.value ?? new Uint8Array()), revision: found?.revision ?? 0 };
    },
    write: (holds, revision) =>
      swap(world, network, link, "keys", { bucket, key: "holds", value: Holds.encode(holds).finish(), revision }),
  };
}
