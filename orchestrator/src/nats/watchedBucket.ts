import { DeliverPolicy, jetstream } from "@nats-io/jetstream";
import { errorText } from "../../../runtime/src/log.ts";
import type { Log } from "../../../runtime/src/log.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import { pause } from "../../../runtime/src/pause.ts";
import type { Publisher } from "../../../runtime/src/publisher.ts";
import type { Swapped } from "../processor/ports.ts";
import { readRecord, removeRecord, swapRecord } from "./record.ts";
import { openWatchedView } from "./watchedView.ts";

/** The records of a bucket, each a value of its own, and what others change of them. `Kept`: a value as it stood when it was read. */
export interface WatchedBucket<Value, Kept> {
  /** All that has been heard of; what others change shows a moment later. */
  all(): readonly Kept[];
  heard(key: string): Kept | undefined;
  /** False until all that there were have been heard of. */
  isComplete(): boolean;
  /** From the bucket's leader; throws JetStreamFailure. */
  read(key: string): Promise<{ readonly value: Value | undefined; readonly revision: number }>;
  /** Compare-and-set; one try. */
  write(key: string, value: Value, revision: number): Promise<Swapped>;
  remove(key: string, revision: number): Promise<Swapped>;
  onChange(listener: () => void): () => void;
}

export interface WatchedBucketOptions<Value, Kept> {
  readonly nats: Nats;
  readonly bucket: string;
  readonly publisher: Publisher;
  readonly encode: (value: Value) => Uint8Array;
  /** Undefined: it is none. */
  readonly decode: (bytes: Uint8Array) => Value | undefined;
  readonly toKept: (value: Value, revision: number) => Kept;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Where it is, and who follows it. */
export type WatchedBucketGround = Pick<
  WatchedBucketOptions<unknown, unknown>,
  "nats" | "bucket" | "publisher" | "log" | "signal"
>;

const openAgainMs = 1_000;
/** Whatever the watch may have missed is heard by then: it begins anew. */
const watchMs = 60_000;

/** What is known, and told as it comes. */
interface Watching<Value> {
  readonly hear: (key: string, value: Value | undefined, revision: number) => void;
  isComplete: boolean;
}

/** Follows a bucket until the signal aborts. */
export function openWatchedBucket<Value, Kept extends { readonly revision: number }>(
  options: WatchedBucketOptions<Value, Kept>,
): WatchedBucket<Value, Kept> {
  const { nats, bucket, publisher, encode, decode, toKept } = options;
  const view = openWatchedView<Kept>();
  const hear = (key: string, value: Value | undefined, revision: number): void =>
    view.hear(key, value === undefined ? undefined : toKept(value, revision), revision);
  const watching: Watching<Value> = { hear, isComplete: false };
  void follow(options, watching);
  return {
    all: () => view.all(),
    heard: (key) => view.heard(key),
    isComplete: () => watching.isComplete,
    read: async (key) => {
      const found = await readRecord(nats, bucket, key);
      if (found === undefined) return { value: undefined, revision: 0 };
      const value = found.isGone ? undefined : decode(found.value);
      hear(key, value, found.revision);
      return { value, revision: found.revision };
    },
    write: async (key, value, revision) => {
      const swapped = await swapRecord(nats, publisher, { bucket, key, value: encode(value), revision });
      if (swapped.kind === "held") hear(key, value, swapped.revision);
      return swapped;
    },
    remove: async (key, revision) => {
      const swapped = await removeRecord(nats, publisher, { bucket, key, revision });
      if (swapped.kind === "held") hear(key, undefined, swapped.revision);
      return swapped;
    },
    onChange: (listener) => view.onChange(listener),
  };
}

async function follow<Value>(
  {
    nats,
    bucket,
    decode,
    log,
    signal,
  }: WatchedBucketGround & { readonly decode: (bytes: Uint8Array) => Value | undefined },
  watching: Watching<Value>,
): Promise<void> {
  const { connection } = nats;
  const options = { filter_subject: `$KV.${bucket}.>`, deliver_policy: DeliverPolicy.LastPerSubject };
  const prefix = `$KV.${bucket}.`.length;
  while (!signal.aborted && !connection.isClosed()) {
    try {
      const consumer = await jetstream(connection).consumers.getPushConsumer(`KV_${bucket}`, options);
      if ((await consumer.info()).num_pending === 0) watching.isComplete = true;
      const messages = await consumer.consume();
      const over = AbortSignal.any([signal, AbortSignal.timeout(watchMs)]);
      over.addEventListener("abort", () => void messages.close(), { once: true });
      for await (const message of messages) {
        const isGone = message.headers?.has("KV-Operation") === true;
        const key = message.subject.slice(prefix);
        const value = isGone ? undefined : decode(message.data);
        if (isGone || value !== undefined) watching.hear(key, value, message.seq);
        else log.error("a record of a bucket can't be read", { bucket, key });
        if (message.info.pending === 0) watching.isComplete = true;
      }
      await consumer.delete().catch(() => undefined);
    } catch (error) {
      // NATS is away: opened again, and what was heard holds until then.
      log.debug("a bucket can't be followed now", { bucket, error: errorText(error) });
      await pause(openAgainMs, signal);
    }
  }
}
