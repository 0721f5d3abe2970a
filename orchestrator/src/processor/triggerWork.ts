import { createHash } from "node:crypto";
import { openGate } from "../../../runtime/src/gate.ts";
import type { Gate } from "../../../runtime/src/gate.ts";
import { errorText } from "../../../runtime/src/log.ts";
import type { Log } from "../../../runtime/src/log.ts";
import type { TriggerRecord } from "../../../proto/gen/sidestep/internal/v1/trigger.ts";
import { openDeadlines } from "./deadlines.ts";
import type { Deadlines } from "./deadlines.ts";
import type { EventOutcome } from "./eventStart.ts";
import type { EventDelivery, EventStreams, ParkedStore } from "./eventStreams.ts";
import { placeOf } from "./takeEvent.ts";
import type { TakeEvent } from "./takeEvent.ts";
import { isTaking } from "./triggerStore.ts";
import type { TriggerStore } from "./triggerStore.ts";

/** Told of what came of a message. */
export interface TriggerObserver {
  /** `delayMs`: since it was stored. */
  took(record: TriggerRecord, outcome: TakenKind, delayMs: number): void;
}

/** `again`: it stays where it is, and is taken later. */
export type TakenKind = "started" | "joined" | "signalled" | "unwanted" | "parked" | "again";

export interface TriggerWorkOptions {
  readonly store: TriggerStore;
  readonly streams: EventStreams;
  readonly parked: Pick<ParkedStore, "put">;
  readonly take: TakeEvent;
  readonly observer: TriggerObserver;
  readonly now: () => number;
  readonly logger: Log;
}

/** Messages of one consumer in hands at one time, and starts and signals of all at one time. */
const inHandsMax = 512;
const atOnceMax = 512;
/** Shorter than what a consumer waits for an acknowledgement. */
const takeWithinMs = 10_000;
const againFirstMs = 250;
const againMaxMs = 30_000;
/** So often a message is given out, over a minute and more, before a run that is not there is given up. */
const earlyMax = 9;

/** Takes the messages of all triggers, as every orchestrator does: what one has been given, no other is. Disposing of it leaves them where they are. */
export function openTriggerWork(options: TriggerWorkOptions): Disposable {
  const { store, streams } = options;
  const over = new AbortController();
  const { signal } = over;
  const deadline = openDeadlines(takeWithinMs, signal, options.now);
  const work: Work = { ...options, signal, deadline, gate: openGate(atOnceMax), tellings: new Map() };
  const listening = new Map<string, Disposable>();
  const look = (): void => {
    const wanted = new Map<string, { readonly id: string; readonly stream: string }>();
    for (const { record } of store.all()) {
      if (!isTaking(record)) continue;
      const { id, stream } = record;
      wanted.set(` ${id}`, { id, stream: "" });
      if (stream !== "") wanted.set(`${stream} ${id}`, { id, stream });
    }
    for (const [name, listener] of listening) {
      if (wanted.has(name)) continue;
      listener[Symbol.dispose]();
      listening.delete(name);
    }
    for (const [name, { id, stream }] of wanted) {
      if (listening.has(name)) continue;
      const take = (delivery: EventDelivery): Promise<void> => takeOne(work, id, delivery);
      listening.set(name, streams.listen({ trigger: id, stream }, inHandsMax, take));
    }
  };
  look();
  const stop = store.onChange(look);
  return {
    [Symbol.dispose]: () => {
      stop();
      for (const listener of listening.values()) listener[Symbol.dispose]();
      over.abort();
    },
  };
}

interface Work extends TriggerWorkOptions {
  readonly signal: AbortSignal;
  readonly deadline: Deadlines;
  readonly gate: Gate;
  /** What was said last of each trigger: an outage is told once. */
  readonly tellings: Map<string, string>;
}

async function takeOne(work: Work, id: string, delivery: EventDelivery): Promise<void> {
  const { store, observer, now, tellings } = work;
  const record = store.heard(id)?.record;
  if (record === undefined || !isTaking(record)) return delivery.again(againFirstMs);
  const outcome = await work.gate(() => takeSafely(work, record, delivery));
  const delayMs = now() - delivery.storedMs;
  switch (outcome.kind) {
    case "started":
    case "joined":
    case "signalled":
    case "unwanted":
      delivery.ack();
      tellings.delete(id);
      return observer.took(record, outcome.kind, delayMs);
    case "garbage":
      return park(work, record, delivery, outcome);
    case "early":
      if (delivery.deliveries >= earlyMax) return park(work, record, delivery, { ...outcome, code: "KEY_NOT_FOUND" });
      delivery.again(pauseMs(delivery));
      return observer.took(record, "again", delayMs);
    case "later":
      if (tellings.get(id) !== outcome.reason)
        work.logger.warn("a trigger's messages have to wait", { trigger: id, reason: outcome.reason });
      tellings.set(id, outcome.reason);
      delivery.again(pauseMs(delivery));
      return observer.took(record, "again", delayMs);
  }
}

async function takeSafely(
  { take, signal, deadline, logger }: Work,
  { id, workflow, trigger }: TriggerRecord,
  delivery: EventDelivery,
): Promise<EventOutcome> {
  if (signal.aborted) return { kind: "later", reason: "this orchestrator shuts down" };
  try {
    return await take({ workflow, trigger, message: delivery.message, place: placeOf(delivery) }, deadline());
  } catch (error) {
    // NATS is away, or a bug of ours; the message stays.
    logger.warn("a message of a trigger could not be taken", { trigger: id, error: errorText(error) });
    return { kind: "later", reason: errorText(error) };
  }
}

async function park(
  { parked, now, logger, observer }: Work,
  record: TriggerRecord,
  delivery: EventDelivery,
  { code, reason }: { readonly code: string; readonly reason: string },
): Promise<void> {
  const { message, subject, stream, sequence, storedMs } = delivery;
  const headers = [...message.headers].map(([name, value]) => ({ name, value }));
  const place = { trigger: record.id, stream, sequence, subject, storedMs };
  const why = { code, reason: reason.slice(0, reasonMax), parkedMs: now(), times: 1 };
  const payload = Buffer.from(message.data);
  const id = parkedId(delivery);
  if (!(await parked.put(id, { ...place, headers, payload, elsewhere: false, ...why }))) {
    logger.warn("a message of a trigger can't be parked and stays where it is", { trigger: record.id, code, reason });
    delivery.again(againMaxMs);
    return observer.took(record, "again", now() - storedMs);
  }
  logger.warn("a message of a trigger is parked", { trigger: record.id, parked: id, stream, sequence, code, reason });
  delivery.ack();
  observer.took(record, "parked", now() - storedMs);
}

const reasonMax = 4_096;

/** The same message has the same id whenever it is parked. */
export function parkedId(place: Parameters<typeof placeOf>[0]): string {
  return createHash("sha256").update(placeOf(place)).digest("hex").slice(0, 16);
}

/** Grows with each delivery; those of one outage do not come back all at once. */
function pauseMs({ deliveries, sequence }: EventDelivery): number {
  const wholeMs = Math.min(againMaxMs, againFirstMs * 2 ** Math.min(deliveries - 1, 10));
  return Math.ceil(wholeMs * (0.75 + (sequence % 16) / 64));
}
