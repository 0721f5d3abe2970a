import { randomBytes } from "node:crypto";
import { Layouts } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import type { Names } from "../../../proto/wire/subjects.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import type { Publisher } from "../../../runtime/src/publisher.ts";
import { JetStreamFailure, untilAnswered } from "./jetstream.ts";
import { readRecord, swapRecord } from "./record.ts";

const secretBytes = 32;

/** How buckets map to partitions: what stands in the bucket, or, the very first time, `partitions` of them. */
export async function agreeOnLayouts(
  cluster: { readonly nats: Nats; readonly names: Names; readonly publisher: Publisher },
  partitions: number,
  signal: AbortSignal,
): Promise<Layouts> {
  const first = Layouts.encode({ layout: [{ generation: 0, partitions }] }).finish();
  return Layouts.decode(await agree(cluster, "layout", first, signal));
}

/** The secret that tokens are made of: 32 random bytes, made once by whoever came first. */
export async function agreeOnSecret(
  cluster: { readonly nats: Nats; readonly names: Names; readonly publisher: Publisher },
  signal: AbortSignal,
): Promise<Uint8Array> {
  return agree(cluster, "secret", randomBytes(secretBytes), signal);
}

/** What stands under the key; `value` when nothing did. */
async function agree(
  { nats, names, publisher }: { readonly nats: Nats; readonly names: Names; readonly publisher: Publisher },
  key: string,
  value: Uint8Array,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const bucket = names.partitionsBucket;
  return untilAnswered(async () => {
    const stands = await readRecord(nats, bucket, key);
    if (stands !== undefined && !stands.isGone) return stands.value;
    const swapped = await swapRecord(nats, publisher, { bucket, key, value, revision: stands?.revision ?? 0 });
    if (swapped.kind === "held") return value;
    throw new JetStreamFailure(`The record ${key} is being written by another orchestrator.`, 0, true);
  }, signal);
}
