import type { Names } from "../../../proto/wire/subjects.ts";
import type { Log } from "../../../runtime/src/log.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import { messageIdLine } from "../../../runtime/src/publisher.ts";
import type { Publisher } from "../../../runtime/src/publisher.ts";
import type { EventStreams, Made, TriggerConsumer } from "../processor/eventStreams.ts";
import { headerLines, parseHeaders } from "./eventHeaders.ts";
import { pullEvents } from "./eventPull.ts";
import { askAgain, askJetStream, JetStreamFailure, readFromLeader } from "./jetstream.ts";
import type { JetStreamAnswer } from "./jetstream.ts";
import { eventsStream, triggerConsumerConfig } from "./streams.ts";
import { differences } from "./topology.ts";

export interface EventStreamsOptions {
  readonly nats: Nats;
  readonly names: Names;
  readonly publisher: Publisher;
  readonly replicas: number;
  readonly log: Log;
}

const noSuchStream = 10059;
const noSuchConsumer = 10014;
const made: Made = { kind: "made" };

/** The streams that triggers are fed from: ours, made when the first trigger is deployed, and those of others. */
export function toEventStreams(options: EventStreamsOptions): EventStreams {
  const { nats, names, publisher, log } = options;
  const { connection } = nats;
  const streamOf = ({ stream }: TriggerConsumer): string => (stream === "" ? names.eventsStream : stream);
  return {
    colliding: async (pattern) => {
      const { streams } = await askAgain(connection, "STREAM.NAMES", { subject: pattern });
      // The server says null for none.
      const others = (streams ?? []).filter((name) => name !== names.eventsStream);
      const found = await Promise.all(others.map((name) => infoOf(options, name)));
      return found.flatMap((info, index) => {
        const subjects = subjectsOf(info?.config);
        return subjects.length === 0 ? [] : [{ name: others[index] ?? "", subjects }];
      });
    },
    capture: (subjects) => capture(options, subjects),
    ensureConsumer: (consumer, subjects) => ensureConsumer(options, consumer, streamOf(consumer), subjects),
    removeConsumer: async (consumer) => {
      const verb = `CONSUMER.DELETE.${streamOf(consumer)}.${names.triggerConsumer(consumer.trigger)}`;
      await askAgain(connection, verb, undefined).catch(absent);
    },
    lagOf: async (consumer) => {
      const verb = `CONSUMER.INFO.${streamOf(consumer)}.${names.triggerConsumer(consumer.trigger)}`;
      const info = await askAgain(connection, verb, undefined).catch(absent);
      return info && { waiting: info.num_pending ?? 0, inHands: info.num_ack_pending ?? 0 };
    },
    listen: (consumer, inHandsMax, take) => {
      const over = new AbortController();
      const name = names.triggerConsumer(consumer.trigger);
      void pullEvents({
        nats,
        stream: streamOf(consumer),
        consumer: name,
        inHandsMax,
        take,
        log,
        signal: over.signal,
      });
      return { [Symbol.dispose]: () => over.abort() };
    },
    hookSubject: (trigger) => names.hookSubject(trigger),
    putHook: async (trigger, id, { headers, data }) => {
      // Ids count in the whole stream.
      const lines = messageIdLine(`${names.hookSubject(trigger)} ${id}`) + headerLines(headers);
      const published = await publisher.publish(names.hookSubject(trigger), data, lines, names.eventsStream);
      return published.kind === "stored"
        ? { kind: "stored" }
        : { kind: "unavailable", message: `the message did not become durable: ${published.message}` };
    },
    read: async (stream, sequence) => {
      const stored = await readFromLeader(connection, stream, { kind: "sequence", sequence }).catch(absent);
      return stored && { headers: parseHeaders(stored.headers), data: stored.data };
    },
  };
}

async function capture(options: EventStreamsOptions, subjects: readonly string[]): Promise<Made> {
  const { nats, names, replicas } = options;
  const { connection } = nats;
  const wanted = eventsStream(names, replicas, subjects);
  const found = await infoOf(options, wanted.name);
  if (found !== undefined && differences(wanted, found.config).length === 0) return made;
  return orRefused(
    found === undefined
      ? askAgain(connection, `STREAM.CREATE.${wanted.name}`, wanted)
      : askJetStream(connection, `STREAM.UPDATE.${wanted.name}`, { ...found.config, ...wanted }),
  );
}

async function ensureConsumer(
  { nats: { connection }, names }: EventStreamsOptions,
  { trigger }: TriggerConsumer,
  stream: string,
  subjects: readonly string[],
): Promise<Made> {
  const wanted = triggerConsumerConfig(names.triggerConsumer(trigger), subjects);
  const name = wanted.durable_name;
  const found = await askAgain(connection, `CONSUMER.INFO.${stream}.${name}`, undefined).catch(absent);
  if (found !== undefined && differences(wanted, found.config).length === 0) return made;
  const request = { stream_name: stream, config: { name, ...wanted }, action: "" };
  return orRefused(askAgain(connection, `CONSUMER.CREATE.${stream}.${name}`, request));
}

/** What NATS refuses for good is told; what may pass is thrown. */
async function orRefused(asked: Promise<JetStreamAnswer>): Promise<Made> {
  try {
    await asked;
    return made;
  } catch (error) {
    if (error instanceof JetStreamFailure && !error.isPassing) return { kind: "refused", message: error.message };
    throw error;
  }
}

function infoOf({ nats }: EventStreamsOptions, stream: string): Promise<JetStreamAnswer | undefined> {
  return askAgain(nats.connection, `STREAM.INFO.${stream}`, undefined).catch(absent);
}

/** Undefined for a stream or a consumer that is not there. */
function absent(error: unknown): undefined {
  const isAbsent = error instanceof JetStreamFailure && (error.code === noSuchStream || error.code === noSuchConsumer);
  if (isAbsent) return undefined;
  throw error;
}

function subjectsOf(config: object = {}): readonly string[] {
  if (!("subjects" in config) || !Array.isArray(config.subjects)) return [];
  const subjects: readonly unknown[] = config.subjects;
  return subjects.filter((one) => typeof one === "string");
}
