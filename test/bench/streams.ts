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

/** Last sequence of each log. */
export type LogEnds = ReadonlyMap<string, number>;

/** Where the logs end now. */
export async function logEnds(url: string): Promise<LogEnds> {
  await using nats = await connectTo(url);
  const manager = await jetstreamManager(nats.connection);
  const ends = new Map<string, number>();
  for (const stream of logStreams()) ends.set(stream, (await manager.streams.info(stream)).state.last_seq);
  return ends;
}

/** Reads what orchestrators have written into the logs so far, behind `after` where it is told, in the order of each log. */
export async function readEvents(
  url: string,
  take: (event: Event, storedMs: number, runId: string) => void,
  after?: LogEnds,
): Promise<void> {
  await using nats = await connectTo(url);
  const manager = await jetstreamManager(nats.connection);
  for (const stream of logStreams()) {
    const { state } = await manager.streams.info(stream);
    const from = (after?.get(stream) ?? 0) + 1;
    if (state.last_seq < from) continue;
    const isRead = Promise.withResolvers<void>();
    using reader = openLogReader(nats, {
      stream,
      from,
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
