import { DeliverPolicy, jetstream } from "@nats-io/jetstream";
import { errorText } from "../../../runtime/src/log.ts";
import type { Log } from "../../../runtime/src/log.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import { pause } from "../../../runtime/src/pause.ts";
import type { Publisher } from "../../../runtime/src/publisher.ts";
import type { Swapped } from "../processor/ports.ts";
import { readRecord, removeRecord, swapRecord } from "./record.ts";

/** A value as it stood when it was read. */
export interface KeptValue<Value> {
  readonly value: Value;
  readonly revision: number;
}

/** The records of a bucket, each a value of its own, and what others change of them. */
export interface WatchedBucket<Value> {
  /** All that has been heard of; what others change shows a moment later. */
  all(): readonly KeptValue<Value>[];
  heard(key: string): KeptValue<Value> | undefined;
  /** False until all that there were have been heard of. */
  isComplete(): boolean;
  /** From the bucket's leader; throws JetStreamFailure. */
  read(key: string): Promise<{ readonly value: Value | undefined; readonly revision: number }>;
  /** Compare-and-set; one try. */
  write(key: string, value: Value, revision: number): Promise<Swapped>;
  remove(key: string, revision: number): Promise<Swapped>;
  onChange(listener: () => void): () => void;
}

export interface WatchedBucketOptions<Value> {
  readonly nats: Nats;
  readonly bucket: string;
  readonly publisher: Publisher;
  readonly encode: (value: Value) => Uint8Array;
  /** Undefined: it is none. */
  readonly decode: (bytes: Uint8Array) => Value | undefined;
  readonly log: Log;
  readonly signal: AbortSignal;
}

const openAgainMs = 1_000;
/** Whatever the watch may have missed is heard by then: it begins anew. */
const watchMs = 60_000;

interface View<Value> {
  readonly known: Map<string, KeptValue<Value>>;
  /** Of those that are gone. */
  readonly gone: Map<string, number>;
  readonly listeners: Set<() => void>;
  isComplete: boolean;
}

/** Follows a bucket until the signal aborts. */
export function openWatchedBucket<Value>(options: WatchedBucketOptions<Value>): WatchedBucket<Value> {
  const { nats, bucket, publisher, encode, decode } = options;
  const view: View<Value> = { known: new Map(), gone: new Map(), listeners: new Set(), isComplete: false };
  void follow(options, view);
  return {
    all: () => [...view.known.values()],
    heard: (key) => view.known.get(key),
    isComplete: () => view.isComplete,
    read: async (key) => {
      const found = await readRecord(nats, bucket, key);
      if (found === undefined) return { value: undefined, revision: 0 };
      const value = found.isGone ? undefined : decode(found.value);
      hear(view, key, value, found.revision);
      return { value, revision: found.revision };
    },
    write: async (key, value, revision) => {
      const swapped = await swapRecord(nats, publisher, { bucket, key, value: encode(value), revision });
      if (swapped.kind === "held") hear(view, key, value, swapped.revision);
      return swapped;
    },
    remove: async (key, revision) => {
      const swapped = await removeRecord(nats, publisher, { bucket, key, revision });
      if (swapped.kind === "held") hear(view, key, undefined, swapped.revision);
      return swapped;
    },
    onChange: (listener) => {
      view.listeners.add(listener);
      return () => void view.listeners.delete(listener);
    },
  };
}

/** What comes late says nothing new. */
function hear<Value>(view: View<Value>, key: string, value: Value | undefined, revision: number): void {
  const { known, gone, listeners } = view;
  if (revision <= Math.max(known.get(key)?.revision ?? 0, gone.get(key) ?? 0)) return;
  if (value === undefined) {
    known.delete(key);
    gone.set(key, revision);
  } else {
    gone.delete(key);
    known.set(key, { value, revision });
  }
  for (const listener of listeners) listener();
}

async function follow<Value>(
  { nats, bucket, decode, log, signal }: WatchedBucketOptions<Value>,
  view: View<Value>,
): Promise<void> {
  const { connection } = nats;
  const options = { filter_subject: `$KV.${bucket}.>`, deliver_policy: DeliverPolicy.LastPerSubject };
  const prefix = `$KV.${bucket}.`.length;
  while (!signal.aborted && !connection.isClosed()) {
    try {
      const consumer = await jetstream(connection).consumers.getPushConsumer(`KV_${bucket}`, options);
      if ((await consumer.info()).num_pending === 0) view.isComplete = true;
      const messages = await consumer.consume();
      const over = AbortSignal.any([signal, AbortSignal.timeout(watchMs)]);
      over.addEventListener("abort", () => void messages.close(), { once: true });
      for await (const message of messages) {
        const isGone = message.headers?.has("KV-Operation") === true;
        const key = message.subject.slice(prefix);
        const value = isGone ? undefined : decode(message.data);
        if (isGone || value !== undefined) hear(view, key, value, message.seq);
        else log.error("a record of a bucket can't be read", { bucket, key });
        if (message.info.pending === 0) view.isComplete = true;
      }
      await consumer.delete().catch(() => undefined);
    } catch (error) {
      // NATS is away: opened again, and what was heard holds until then.
      log.debug("a bucket can't be followed now", { bucket, error: errorText(error) });
      await pause(openAgainMs, signal);
    }
  }
}
