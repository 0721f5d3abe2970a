import { DeliverPolicy, jetstream, JetStreamApiError } from "@nats-io/jetstream";
import { Objm } from "@nats-io/obj";
import type { ObjectStore } from "@nats-io/obj";
import type { NatsConnection } from "@nats-io/transport-node";
import { setTimeout as delay } from "node:timers/promises";
import { DefinitionIndex } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import { toHex } from "../../../proto/wire/runId.ts";
import type { Names } from "../../../proto/wire/subjects.ts";
import { DefinitionStoreError } from "../processor/definitionStore.ts";
import type { DefinitionStore, StoredIndex } from "../processor/definitionStore.ts";
import { metaSubject, readObject } from "./objects.ts";
import { ensureTaskConsumer } from "./topology.ts";

const indexObject = "index";
const requestTimeoutMs = 4_000;
const indexTimeoutMs = 1_500;
const indexTries = 3;
/** How often the index is looked at besides being watched. */
const lookEveryMs = 10_000;
const wrongLastSequence = 10071;

/** Definitions in the object store SIDESTEP_DEFINITIONS, which exists. */
export function openDefinitionStore(connection: NatsConnection, names: Names): DefinitionStore {
  const bucket = names.definitionsBucket;
  // Reads need nothing of it.
  let opened: Promise<ObjectStore> | undefined;
  const objects = (): Promise<ObjectStore> => {
    opened ??= new Objm(jetstream(connection, { timeout: requestTimeoutMs })).open(bucket, false);
    opened.catch(() => (opened = undefined));
    return opened;
  };
  const read = async (name: string): Promise<Uint8Array | undefined> =>
    (await within("read", name, readObject(connection, bucket, name, requestTimeoutMs)))?.bytes;
  const write = async (name: string, bytes: Uint8Array): Promise<void> => {
    const store = await objects();
    const there = await store.info(name);
    // Objects of a hash never change, so writing one that is there would only copy it.
    if (there === null || there.deleted) await store.putBlob({ name }, bytes);
  };
  const writeOnce = (name: string, bytes: Uint8Array): Promise<void> => within("write", name, write(name, bytes));
  return {
    readIndex: () => readIndex(connection, bucket),
    replaceIndex: async (index, revision) =>
      replaceIndex(await within("reach", "the index", objects()), () => readIndex(connection, bucket), index, revision),
    readPlan: (hash) => read(planObject(hash)),
    writePlan: (hash, bytes) => writeOnce(planObject(hash), bytes),
    readContract: (hash) => read(contractObject(hash)),
    writeContract: (hash, bytes) => writeOnce(contractObject(hash), bytes),
    ensureTaskConsumer: (service) =>
      within("make the task consumer of", service, ensureTaskConsumer(connection, names, service)),
    watch: (changed, signal) => void watchIndex(connection, names, changed, signal),
  };
}

/** A replacement takes the old bytes away, also from under a reader, who looks again then. */
async function readIndex(connection: NatsConnection, bucket: string): Promise<StoredIndex> {
  for (let tries = 1; ; tries++) {
    try {
      const found = await within("read", indexObject, readObject(connection, bucket, indexObject, indexTimeoutMs));
      if (found === undefined) return { index: { workflow: [] }, revision: 0 };
      return { index: DefinitionIndex.decode(found.bytes), revision: found.revision };
    } catch (error) {
      if (tries === indexTries) throw error;
    }
  }
}

async function replaceIndex(
  objects: ObjectStore,
  read: () => Promise<StoredIndex>,
  index: DefinitionIndex,
  revision: number,
): Promise<boolean> {
  const bytes = DefinitionIndex.encode(index).finish();
  const put = objects.putBlob({ name: indexObject }, bytes, { previousRevision: revision, timeout: requestTimeoutMs });
  try {
    await within("replace", indexObject, put);
    return true;
  } catch (error) {
    const cause = error instanceof DefinitionStoreError ? error.cause : error;
    if (!(cause instanceof JetStreamApiError) || cause.code !== wrongLastSequence) throw error;
    // An own retry meets what the first try stored.
    return Buffer.from(DefinitionIndex.encode((await read()).index).finish()).equals(bytes);
  }
}

/** Whatever it is made of, it has its bound. */
async function within<T>(verb: string, name: string, work: Promise<T>, timeoutMs = requestTimeoutMs): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  try {
    return await Promise.race([work, late.promise]);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DefinitionStoreError(`can't ${verb} ${name} in the store of definitions: ${reason}`, error);
  } finally {
    clearTimeout(timer);
  }
}

/** Tells of each new index; whatever the watch misses, the look every few seconds finds. */
async function watchIndex(
  connection: NatsConnection,
  names: Names,
  changed: () => void,
  signal: AbortSignal,
): Promise<void> {
  const stream = `OBJ_${names.definitionsBucket}`;
  const subject = metaSubject(names.definitionsBucket, indexObject);
  const look = setInterval(changed, lookEveryMs);
  signal.addEventListener("abort", () => clearInterval(look), { once: true });
  while (!signal.aborted && !connection.isClosed()) {
    try {
      const options = { filter_subject: subject, deliver_policy: DeliverPolicy.LastPerSubject };
      const consumer = await jetstream(connection).consumers.getPushConsumer(stream, options);
      const messages = await consumer.consume();
      const close = (): void => void messages.close();
      signal.addEventListener("abort", close, { once: true });
      for await (const _ of messages) changed();
      signal.removeEventListener("abort", close);
    } catch {
      // NATS is away: tried again, and the regular look goes on meanwhile.
    }
    await delay(1_000, undefined, { signal }).catch(() => undefined);
  }
}

function planObject(hash: Uint8Array): string {
  return `plan/${toHex(hash)}`;
}

function contractObject(hash: Uint8Array): string {
  return `contract/${toHex(hash)}`;
}
