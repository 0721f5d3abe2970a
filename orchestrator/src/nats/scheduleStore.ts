import { DeliverPolicy, jetstream } from "@nats-io/jetstream";
import { Schedule } from "../../../proto/gen/sidestep/internal/v1/schedule.ts";
import type { Names } from "../../../proto/wire/subjects.ts";
import { errorText } from "../../../runtime/src/log.ts";
import type { Log } from "../../../runtime/src/log.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import { pause } from "../../../runtime/src/pause.ts";
import type { Publisher } from "../../../runtime/src/publisher.ts";
import type { KeptSchedule, ScheduleStore } from "../processor/scheduleStore.ts";
import { readRecord, removeRecord, swapRecord } from "./record.ts";

const openAgainMs = 1_000;
/** Whatever the watch may have missed is heard by then: it begins anew. */
const watchMs = 60_000;

interface View {
  readonly known: Map<string, KeptSchedule>;
  /** Of those that are gone. */
  readonly gone: Map<string, number>;
  readonly listeners: Set<() => void>;
  isComplete: boolean;
}

/** Schedules in their bucket, one record each; follows what others change until the signal aborts. */
export function openScheduleStore(
  nats: Nats,
  names: Names,
  publisher: Publisher,
  log: Log,
  signal: AbortSignal,
): ScheduleStore {
  const bucket = names.schedulesBucket;
  const view: View = { known: new Map(), gone: new Map(), listeners: new Set(), isComplete: false };
  void follow(nats, bucket, view, log, signal);
  return {
    all: () => [...view.known.values()],
    heard: (id) => view.known.get(id),
    isComplete: () => view.isComplete,
    read: async (id) => {
      const found = await readRecord(nats, bucket, id);
      if (found === undefined) return { schedule: undefined, revision: 0 };
      const schedule = found.isGone ? undefined : Schedule.decode(found.value);
      hear(view, id, schedule, found.revision);
      return { schedule, revision: found.revision };
    },
    write: async (schedule, revision) => {
      const value = Schedule.encode(schedule).finish();
      const swapped = await swapRecord(nats, publisher, { bucket, key: schedule.id, value, revision });
      if (swapped.kind === "held") hear(view, schedule.id, schedule, swapped.revision);
      return swapped;
    },
    remove: async (id, revision) => {
      const swapped = await removeRecord(nats, publisher, { bucket, key: id, revision });
      if (swapped.kind === "held") hear(view, id, undefined, swapped.revision);
      return swapped;
    },
    onChange: (listener) => {
      view.listeners.add(listener);
      return () => void view.listeners.delete(listener);
    },
  };
}

/** What comes late says nothing new. */
function hear(view: View, id: string, schedule: Schedule | undefined, revision: number): void {
  const { known, gone, listeners } = view;
  if (revision <= Math.max(known.get(id)?.revision ?? 0, gone.get(id) ?? 0)) return;
  if (schedule === undefined) {
    known.delete(id);
    gone.set(id, revision);
  } else {
    gone.delete(id);
    known.set(id, { schedule, revision });
  }
  for (const listener of listeners) listener();
}

async function follow(nats: Nats, bucket: string, view: View, log: Log, signal: AbortSignal): Promise<void> {
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
        const id = message.subject.slice(prefix);
        const schedule = isGone ? undefined : parse(message.data);
        if (isGone || schedule !== undefined) hear(view, id, schedule, message.seq);
        else log.error("a record in the bucket of schedules can't be read", { schedule: id });
        if (message.info.pending === 0) view.isComplete = true;
      }
      await consumer.delete().catch(() => undefined);
    } catch (error) {
      // NATS is away: opened again, and what was heard holds until then.
      log.debug("the schedules can't be followed now", { error: errorText(error) });
      await pause(openAgainMs, signal);
    }
  }
}

function parse(bytes: Uint8Array): Schedule | undefined {
  try {
    const schedule = Schedule.decode(bytes);
    return schedule.cron === undefined ? undefined : schedule;
  } catch {
    return undefined;
  }
}
