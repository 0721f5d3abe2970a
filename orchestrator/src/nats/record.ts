import type { Nats } from "../../../runtime/src/natsConnection.ts";
import { expectLastLine, headerLine } from "../../../runtime/src/publisher.ts";
import type { Publisher } from "../../../runtime/src/publisher.ts";
import type { Swapped } from "../processor/ports.ts";
import { JetStreamFailure, readFromLeader } from "./jetstream.ts";

/** A record of a key-value bucket as its leader has it. */
export interface BucketRecord {
  readonly value: Uint8Array;
  readonly revision: number;
  readonly storedMs: number;
  /** It was deleted or has expired; its revision still counts for a compare-and-set. */
  readonly isGone: boolean;
}

/** Reads a record from the bucket's leader; undefined when there never was one. Throws JetStreamFailure. */
export async function readRecord(nats: Nats, bucket: string, key: string): Promise<BucketRecord | undefined> {
  const subject = recordSubject(bucket, key);
  const stored = await readFromLeader(nats.connection, `KV_${bucket}`, { kind: "last", subject });
  if (stored === undefined) return undefined;
  const isGone = /^(KV-Operation:|Nats-Marker-Reason:)/m.test(stored.headers);
  return { value: stored.data, revision: stored.sequence, storedMs: stored.storedMs, isGone };
}

/**
 * One compare-and-set: stored only when `revision` is the record's last, 0 for none. An own earlier try that stands there counts as held.
 */
export async function swapRecord(
  nats: Nats,
  publisher: Publisher,
  { bucket, key, value, revision, ttlSeconds }: Swap,
): Promise<SwappedRecord> {
  const ttl = ttlSeconds === undefined ? "" : `Nats-TTL: ${ttlSeconds}s\r\n`;
  const headers = expectLastLine(revision) + ttl;
  const published = await publisher.publish(recordSubject(bucket, key), value, headers, `KV_${bucket}`);
  switch (published.kind) {
    case "stored":
      return { kind: "held", revision: published.sequence };
    case "retryable":
      return { kind: "unknown" };
    case "permanent":
      throw new JetStreamFailure(
        `The bucket ${bucket} refuses the record ${key}: ${published.message}`,
        published.code,
        false,
      );
    case "conflict": {
      const stands = await readRecord(nats, bucket, key).catch(() => "unknown" as const);
      if (stands === "unknown") return { kind: "unknown" };
      const isOurs = stands !== undefined && !stands.isGone && Buffer.compare(stands.value, value) === 0;
      return isOurs ? { kind: "held", revision: stands.revision } : { kind: "refused", stands };
    }
  }
}

/** The same, and what stands where a record was refused. */
export type SwappedRecord =
  | Exclude<Swapped, { readonly kind: "refused" }>
  | { readonly kind: "refused"; readonly stands: BucketRecord | undefined };

/** One compare-and-set that leaves nothing but the sign that the record is gone; refused by that sign already counts as held. */
export async function removeRecord(
  nats: Nats,
  publisher: Publisher,
  { bucket, key, revision }: Omit<Swap, "value" | "ttlSeconds">,
): Promise<Swapped> {
  const headers = expectLastLine(revision) + headerLine("KV-Operation", "DEL");
  const published = await publisher.publish(recordSubject(bucket, key), new Uint8Array(), headers, `KV_${bucket}`);
  switch (published.kind) {
    case "stored":
      return { kind: "held", revision: published.sequence };
    case "retryable":
      return { kind: "unknown" };
    case "permanent":
      throw new JetStreamFailure(
        `The bucket ${bucket} refuses to remove ${key}: ${published.message}`,
        published.code,
        false,
      );
    case "conflict": {
      const stands = await readRecord(nats, bucket, key).catch(() => "unknown" as const);
      if (stands === "unknown") return { kind: "unknown" };
      return stands === undefined || stands.isGone
        ? { kind: "held", revision: stands?.revision ?? 0 }
        : { kind: "refused" };
    }
  }
}

/** What a compare-and-set writes. */
export interface Swap {
  readonly bucket: string;
  readonly key: string;
  readonly value: Uint8Array;
  readonly revision: number;
  readonly ttlSeconds?: number;
}

function recordSubject(bucket: string, key: string): string {
  return `$KV.${bucket}.${key}`;
}
