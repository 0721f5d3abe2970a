import { DeliverPolicy, jetstream } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { setTimeout as delay } from "node:timers/promises";
import { CatalogEntry } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { SidecarCatalog } from "../processor/ports.ts";
import { splitMethod } from "../../../proto/wire/subjects.ts";
import type { Names } from "../../../proto/wire/subjects.ts";

/** What a sidecar says of itself, and when it was heard. */
export interface HeardSidecar extends CatalogEntry {
  readonly heardMs: number;
  /** What people know it by. */
  readonly knownAs: string;
}

/** What the sidecars say they offer, as this orchestrator has heard it. */
export interface CatalogView extends SidecarCatalog {
  /** Each sidecar that is alive, once for each service that it was heard of. */
  sidecars(): readonly HeardSidecar[];
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
const expireEveryMs = 1_000;

/** Follows the bucket SIDESTEP_CATALOG until the signal aborts. */
export function openCatalogView(
  connection: NatsConnection,
  names: Names,
  now: () => number,
  signal: AbortSignal,
): CatalogView {
  const heard = new Map<string, HeardSidecar>();
  const view = { isComplete: false };
  const listeners = new Set<() => void>();
  let revision = 0;
  const changed = (): void => {
    revision += 1;
    for (const listener of listeners) listener();
  };
  void follow(connection, names, now, signal, heard, view, changed);
  const expire = (): void => {
    const before = heard.size;
    for (const [key, { heardMs }] of heard) if (now() - heardMs > entryLivesMs) heard.delete(key);
    if (heard.size < before) changed();
  };
  const timer = setInterval(expire, expireEveryMs).unref();
  signal.addEventListener("abort", () => clearInterval(timer), { once: true });
  const alive = (): readonly HeardSidecar[] => {
    expire();
    return [...heard.values()];
  };
  const servingOf = (name: string): readonly HeardSidecar[] =>
    alive().filter(({ services, serving }) => serving && services.includes(name));
  const offersOf = (method: string): readonly { readonly sidecar: string; readonly broken: boolean }[] =>
    servingOf(splitMethod(method).service).map((one) => ({
      sidecar: one.knownAs,
      broken: one.broken.includes(method),
    }));
  return {
    sidecars: alive,
    isServed: (service) => (view.isComplete ? servingOf(service).length > 0 : undefined),
    isBroken: (method) => {
      const offers = offersOf(method);
      return offers.length > 0 && offers.every(({ broken }) => broken);
    },
    offersOf: (method) => (view.isComplete ? offersOf(method) : undefined),
    revision: () => revision,
    onChange: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

async function follow(
  connection: NatsConnection,
  names: Names,
  now: () => number,
  signal: AbortSignal,
  heard: Map<string, HeardSidecar>,
  view: { isComplete: boolean },
  changed: () => void,
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
        const entry = message.data.length === 0 ? undefined : parseEntry(message.data);
        const before = heard.get(message.subject);
        if (entry === undefined) heard.delete(message.subject);
        else heard.set(message.subject, { ...entry, heardMs: now(), knownAs: knownAs(entry) });
        if (offered(before) !== offered(entry)) changed();
        if (message.info.pending === 0) view.isComplete = true;
      }
      signal.removeEventListener("abort", close);
    } catch {
      // NATS is away: opened again, and what was heard lives on for its time.
    }
    await delay(openAgainMs, undefined, { signal }).catch(() => undefined);
  }
}

/** What of an entry says who can be called, and how. */
function offered(entry: CatalogEntry | undefined): string {
  return entry === undefined ? "" : `${entry.serving} ${entry.services.join()} ${entry.descriptors?.id ?? ""}`;
}

/** What people know a sidecar by. */
function knownAs({ sidecar }: CatalogEntry): string {
  if (sidecar === undefined) return "";
  return sidecar.name === "" ? sidecar.id : `${sidecar.name} on ${sidecar.host}`;
}

/** Any sidecar may write here: what can't be read, or offers nothing, is none. */
function parseEntry(bytes: Uint8Array): CatalogEntry | undefined {
  try {
    const entry = CatalogEntry.decode(bytes);
    return entry.services.length === 0 ? undefined : entry;
  } catch {
    return undefined;
  }
}
