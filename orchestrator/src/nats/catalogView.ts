import { DeliverPolicy, jetstream } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { setTimeout as delay } from "node:timers/promises";
import { CatalogEntry } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { splitMethod } from "../../../proto/wire/subjects.ts";
import type { Names } from "../../../proto/wire/subjects.ts";

/** What the sidecars say they offer, as this orchestrator has heard it. */
export interface CatalogView {
  /** Whether a sidecar pulls tasks of the service now; undefined: not known yet. */
  isServed(service: string): boolean | undefined;
  /** Whether every sidecar that pulls them holds calls of the method back. */
  isBroken(method: string): boolean;
}

/** An entry is told again every 10 s, and gone from the bucket after 30. */
const entryLivesMs = 30_000;
const openAgainMs = 1_000;

interface Heard {
  readonly services: readonly string[];
  readonly broken: readonly string[];
  readonly heardMs: number;
}

/** Follows the bucket SIDESTEP_CATALOG until the signal aborts. */
export function openCatalogView(
  connection: NatsConnection,
  names: Names,
  now: () => number,
  signal: AbortSignal,
): CatalogView {
  const heard = new Map<string, Heard>();
  const view = { isComplete: false };
  void follow(connection, names, now, signal, heard, view);
  return {
    isServed: (service) => {
      if (!view.isComplete) return undefined;
      for (const [key, { services, heardMs }] of heard) {
        if (now() - heardMs > entryLivesMs) heard.delete(key);
        else if (services.includes(service)) return true;
      }
      return false;
    },
    isBroken: (method) => {
      const { service } = splitMethod(method);
      const serving = [...heard.values()].filter(
        ({ services, heardMs }) => services.includes(service) && now() - heardMs <= entryLivesMs,
      );
      return serving.length > 0 && serving.every(({ broken }) => broken.includes(method));
    },
  };
}

async function follow(
  connection: NatsConnection,
  names: Names,
  now: () => number,
  signal: AbortSignal,
  heard: Map<string, Heard>,
  view: { isComplete: boolean },
): Promise<void> {
  while (!signal.aborted && !connection.isClosed()) {
    try {
      const options = { filter_subject: `$KV.${names.catalogBucket}.>`, deliver_policy: DeliverPolicy.LastPerSubject };
      const consumer = await jetstream(connection).consumers.getPushConsumer(`KV_${names.catalogBucket}`, options);
      if ((await consumer.info()).num_pending === 0) view.isComplete = true;
      const messages = await consumer.consume();
      const close = (): void => void messages.close();
      signal.addEventListener("abort", close, { once: true });
      for await (const message of messages) {
        const isGone = message.data.length === 0;
        const offer = isGone ? nothing : offerOf(message.data);
        if (offer.services.length === 0) heard.delete(message.subject);
        else heard.set(message.subject, { ...offer, heardMs: now() });
        if (message.info.pending === 0) view.isComplete = true;
      }
      signal.removeEventListener("abort", close);
    } catch {
      // NATS is away: opened again, and what was heard lives on for its time.
    }
    await delay(openAgainMs, undefined, { signal }).catch(() => undefined);
  }
}

const nothing: Omit<Heard, "heardMs"> = { services: [], broken: [] };

function offerOf(bytes: Uint8Array): Omit<Heard, "heardMs"> {
  try {
    const { services, serving, broken } = CatalogEntry.decode(bytes);
    return serving ? { services, broken } : nothing;
  } catch {
    // Any sidecar may write here; what can't be read offers nothing.
    return nothing;
  }
}
