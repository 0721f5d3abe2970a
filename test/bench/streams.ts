import { jetstreamManager } from "@nats-io/jetstream";
import { Event } from "../../proto/gen/sidestep/internal/v1/event.ts";
import { parseLogSubject, toNames } from "../../proto/wire/subjects.ts";
import { openLogReader } from "../../orchestrator/src/nats/logReader.ts";
import { connectTo, silent } from "../support/connectTo.ts";

const partitions = 4;

/** What all streams hold. */
export interface Stored {
  readonly messages: number;
  readonly bytes: number;
  /** Of them in the logs. */
  readonly logMessages: number;
}

/** Asks nats-server. */
export async function storedIn(url: string): Promise<Stored> {
  await using nats = await connectTo(url);
  const manager = await jetstreamManager(nats.connection);
  const logs = new Set(logStreams());
  let [messages, bytes, logMessages] = [0, 0, 0];
  for await (const { config, state } of manager.streams.list()) {
    messages += state.messages;
    bytes += state.bytes;
    if (logs.has(config.name)) logMessages += state.messages;
  }
  return { messages, bytes, logMessages };
}

/** Reads what orchestrators have written into the logs so far, in the order of each log. */
export async function readEvents(
  url: string,
  take: (event: Event, storedMs: number, runId: string) => void,
): Promise<void> {
  await using nats = await connectTo(url);
  const manager = await jetstreamManager(nats.connection);
  for (const stream of logStreams()) {
    const { state } = await manager.streams.info(stream);
    if (state.messages === 0) continue;
    const isRead = Promise.withResolvers<void>();
    using reader = openLogReader(nats, {
      stream,
      from: 1,
      room: () => 5_000,
      log: silent,
      onMessage: ({ subject, data, storedMs, sequence }) => {
        const place = parseLogSubject(subject);
        if (place?.kind === "e") take(Event.decode(data), storedMs, place.runId);
        if (sequence >= state.last_seq) isRead.resolve();
      },
    });
    await isRead.promise;
    reader[Symbol.dispose]();
  }
}

function logStreams(): readonly string[] {
  return Array.from({ length: partitions }, (_, partition) => toNames().logStream(partition));
}
