import type { Names } from "../../../proto/wire/subjects.ts";
import type { Log } from "../../../runtime/src/log.ts";
import { errorText } from "../../../runtime/src/log.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import { pause } from "../../../runtime/src/pause.ts";
import { askJetStream, listConsumers } from "./jetstream.ts";
import type { ConsumerState } from "./jetstream.ts";

export interface TaskSweepOptions {
  readonly nats: Nats;
  readonly names: Names;
  /** Whether it falls to us now; two at once do no harm. */
  readonly isOurs: () => boolean;
  readonly log: Log;
  readonly now?: () => number;
}

const sweepEveryMs = 1_000;
/** Fewer acknowledged tasks of a consumer than this wait until it is worth it, or until `sweepFewAfterMs`. */
const worthIt = 256;
const sweepFewAfterMs = 10_000;

/** What was removed last of a consumer's tasks. */
interface Swept {
  readonly stream: number;
  readonly delivered: number;
  readonly atMs: number;
}

/**
 * Removes tasks whose outcomes are in the log. A work queue would do that by itself, one by one at each acknowledgement, on the way of the next step: this is
 * done once a second, for many at once. A task is removed when its consumer's floor says that it and all before it are acknowledged; what is still
 * there after a crash is delivered again, and whoever gets it asks.
 */
export function openTaskSweep(options: TaskSweepOptions): Disposable {
  const over = new AbortController();
  void sweepAlways(options, over.signal);
  return { [Symbol.dispose]: () => over.abort() };
}

async function sweepAlways({ nats, names, isOurs, log, now = Date.now }: TaskSweepOptions, signal: AbortSignal) {
  let swept = new Map<string, Swept>();
  for (let told = ""; ;) {
    await pause(sweepEveryMs, signal);
    if (signal.aborted || nats.connection.isClosed()) return;
    if (!isOurs()) swept = new Map();
    if (!isOurs() || !nats.isConnected()) continue;
    try {
      swept = await sweep(nats, names, swept, now());
      told = "";
    } catch (error) {
      const reason = errorText(error);
      if (reason !== told) log.warn("acknowledged tasks can't be removed now", { error: reason });
      told = reason;
    }
  }
}

async function sweep(
  nats: Nats,
  names: Names,
  before: ReadonlyMap<string, Swept>,
  nowMs: number,
): Promise<Map<string, Swept>> {
  const after = new Map<string, Swept>();
  for (const consumer of await listConsumers(nats.connection, names.tasksStream)) {
    const last = before.get(consumer.name);
    if (last !== undefined && !isDue(consumer, last, nowMs)) {
      after.set(consumer.name, last);
      continue;
    }
    const { stream, delivered } = consumer.floor;
    if (stream > 0) {
      const request = { filter: consumer.filter, seq: stream + 1 };
      await askJetStream(nats.connection, `STREAM.PURGE.${names.tasksStream}`, request);
    }
    after.set(consumer.name, { stream, delivered, atMs: nowMs });
  }
  return after;
}

function isDue({ floor }: ConsumerState, last: Swept, nowMs: number): boolean {
  if (floor.stream <= last.stream) return false;
  return floor.delivered - last.delivered >= worthIt || nowMs - last.atMs >= sweepFewAfterMs;
}
