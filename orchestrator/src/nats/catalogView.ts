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
  /** Sidecars that pull tasks of the method's service, and whether they hold its calls back; undefined: not known yet. */
  offersOf(method: string): readonly { readonly sidecar: string; readonly broken: boolean }[] | undefined;
}

/** An entry is told again every 10 s, and gone from the bucket after 30. */
const entryLivesMs = 30_000;
const openAgainMs = 1_000;

interface Heard {
  /** What people know it by. */
  readonly sidecar: string;
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
  const offersOf = (method: string): readonly { readonly sidecar: string; readonly broken: boolean }[] => {
    const { service } = splitMethod(method);
    return [...heard.values()]
      .filter(({ services, heardMs }) => services.includes(service) && now() - heardMs <= entryLivesMs)
      .map(({ sidecar, broken }) => ({ sidecar, broken: broken.includes(method) }));
  };
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
      const offers = offersOf(method);
      return offers.length > 0 && offers.every(({ broken }) => broken);
    },
    offersOf: (method) => (view.isComplete ? offersOf(method) : undefined),
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

const nothing: Omit<Heard, "heardMs"> = { sidecar: "", services: [], broken: [] };

function offerOf(bytes: Uint8Array): Omit<Heard, "heardMs"> {
  try {
    const { sidecar, services, serving, broken } = CatalogEntry.decode(bytes);
    const name = sidecar === undefined ? "" : sidecar.name === "" ? sidecar.id : `${sidecar.name} on ${sidecar.host}`;
    return serving ? { sidecar: name, services, broken } : nothing;
  } catch {
    // Any sidecar may write here; what can't be read offers nothing.
    return nothing;
  }
}
