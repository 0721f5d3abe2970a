import { DeliverPolicy, jetstream, JetStreamApiError } from "@nats-io/jetstream";
import { Objm } from "@nats-io/obj";
import type { ObjectStore } from "@nats-io/obj";
import type { NatsConnection } from "@nats-io/transport-node";
import { setTimeout as delay } from "node:timers/promises";
import { DefinitionIndex } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import { toHex } from "../../../proto/wire/runId.ts";
import type { Names } from "../../../proto/wire/subjects.ts";
import { DefinitionStoreError } from "../processor/definitionStore.ts";
import type { DefinitionStore } from "../processor/definitionStore.ts";
import { ensureTaskConsumer } from "./topology.ts";

const indexObject = "index";
const requestTimeoutMs = 4_000;
const indexTimeoutMs = 1_500;
const indexTries = 3;
/** How often the index is looked at besides being watched. */
const lookEveryMs = 10_000;
const wrongLastSequence = 10071;

/** Definitions in the object store SIDESTEP_DEFINITIONS, which exists. */
export async function openDefinitionStore(connection: NatsConnection, names: Names): Promise<DefinitionStore> {
  const objects = await new Objm(jetstream(connection, { timeout: requestTimeoutMs })).open(
    names.definitionsBucket,
    false,
  );
  const read = async (name: string): Promise<Uint8Array | undefined> =>
    (await within("read", name, objects.getBlob(name))) ?? undefined;
  // Objects of a hash never change, so writing one that is there would only copy it.
  const writeOnce = async (name: string, bytes: Uint8Array): Promise<void> => {
    const there = await within("look for", name, objects.info(name));
    if (there === null || there.deleted) await within("write", name, objects.putBlob({ name }, bytes));
  };
  return {
    readIndex: () => readIndex(objects),
    replaceIndex: (index, revision) => replaceIndex(objects, index, revision),
    readPlan: (hash) => read(planObject(hash)),
    writePlan: (hash, bytes) => writeOnce(planObject(hash), bytes),
    readContract: (hash) => read(contractObject(hash)),
    writeContract: (hash, bytes) => writeOnce(contractObject(hash), bytes),
    ensureTaskConsumer: (service) =>
      within("make the task consumer of", service, ensureTaskConsumer(connection, names, service)),
    watch: (changed, signal) => void watchIndex(connection, names, changed, signal),
  };
}

async function readIndex(
  objects: ObjectStore,
): Promise<{ readonly index: DefinitionIndex; readonly revision: number }> {
  const info = await within("look for", indexObject, objects.info(indexObject));
  if (info === null) return { index: { workflow: [] }, revision: 0 };
  const bytes = await readIndexBytes(objects);
  // The bytes may be newer than the revision: a replacement with it fails then, and a reader sees the rest at the next look.
  return { index: DefinitionIndex.decode(bytes), revision: info.revision };
}

/** A replacement takes the old bytes away, also from under a reader, who would wait for them for ever. */
async function readIndexBytes(objects: ObjectStore): Promise<Uint8Array> {
  for (let tries = 1; ; tries++) {
    try {
      return (await within("read", indexObject, objects.getBlob(indexObject), indexTimeoutMs)) ?? new Uint8Array();
    } catch (error) {
      if (tries === indexTries) throw error;
    }
  }
}

async function replaceIndex(objects: ObjectStore, index: DefinitionIndex, revision: number): Promise<boolean> {
  const bytes = DefinitionIndex.encode(index).finish();
  const put = objects.putBlob({ name: indexObject }, bytes, { previousRevision: revision, timeout: requestTimeoutMs });
  try {
    await within("replace", indexObject, put);
    return true;
  } catch (error) {
    const cause = error instanceof DefinitionStoreError ? error.cause : error;
    if (!(cause instanceof JetStreamApiError) || cause.code !== wrongLastSequence) throw error;
    // An own retry meets what the first try stored.
    return Buffer.from(await readIndexBytes(objects)).equals(bytes);
  }
}

/** Reads go through a consumer that would wait for ever where chunks are gone, so each has its bound. */
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
  const subject = `$O.${names.definitionsBucket}.M.${Buffer.from(indexObject).toString("base64")}`;
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
