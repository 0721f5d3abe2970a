import { createInbox, nuid } from "@nats-io/transport-node";
import type { Msg, Subscription } from "@nats-io/transport-node";
import type { Log } from "../../../runtime/src/log.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import type { LogMessage, LogReader } from "../processor/ports.ts";
import { askJetStream, untilAnswered } from "./jetstream.ts";

/** What to read, and to whom to give it. */
export interface LogReaderOptions {
  readonly stream: string;
  /** Sequence of the first message. */
  readonly from: number;
  /** Called in stream order, never twice for a message. */
  readonly onMessage: (message: LogMessage) => void;
  /** How many messages may come now; asked before each pull. While 0, nothing is pulled until `LogReader.pull`. */
  readonly room: () => number;
  readonly log: Log;
}

const pullMax = 5000;
const heartbeatMs = 500;
const silenceMaxMs = 1300;
const lookEveryMs = 300;
const expiresMs = 5000;
const inactiveMs = 30_000;

interface Consumer {
  readonly name: string;
  readonly subscription: Subscription;
  /** Messages of this consumer so far. */
  delivered: number;
  /** Messages still to come of the open pull; 0: none is open. */
  open: number;
}

/**
 * Reads a log in stream order by an ephemeral consumer without filter and without acks: some 2 µs a message, where one filter costs up to
 * 290. It is made anew, behind the last message read, after 1.3 s of silence, a gap or a reconnect: with the client's defaults a reader
 * stands still for 25 to 45 s after the death of a stream's leader.
 */
export function openLogReader(nats: Nats, options: LogReaderOptions): LogReader {
  const { connection } = nats;
  const { stream, log } = options;
  const closed = new AbortController();
  let next = options.from;
  let consumer: Consumer | undefined;
  let heardMs = Date.now();
  let generation = 0;
  let isRenewing = false;

  const pull = (): void => {
    if (consumer === undefined || consumer.open > 0 || !nats.isConnected()) return;
    const batch = Math.min(pullMax, options.room());
    if (batch <= 0) return;
    consumer.open = batch;
    heardMs = Date.now();
    const request = { batch, expires: expiresMs * 1e6, idle_heartbeat: heartbeatMs * 1e6 };
    connection.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer.name}`, JSON.stringify(request), {
      reply: consumer.subscription.getSubject(),
    });
  };

  const take = (message: Msg, place: Place): void => {
    if (consumer === undefined) return;
    consumer.delivered++;
    consumer.open--;
    if (place.delivered !== consumer.delivered) {
      void renew("a gap");
      return;
    }
    if (place.sequence >= next) {
      next = place.sequence + 1;
      // The client's bytes are part of what came over the socket; a state that kept them would keep all of it.
      const data = message.data.slice();
      options.onMessage({ sequence: place.sequence, storedMs: place.storedMs, subject: message.subject, data });
    }
    if (consumer !== undefined && consumer.open <= 0) pull();
  };

  const onStatus = (message: Msg): void => {
    const code = message.headers?.code ?? 0;
    if (code === 100 || consumer === undefined) return;
    consumer.open = 0;
    if (code === 409) void renew(message.headers?.description ?? "status 409");
    else if (code === 503) void renew("the consumer is gone");
    else pull();
  };

  const renew = async (reason: string): Promise<void> => {
    const mine = ++generation;
    isRenewing = true;
    const old = consumer;
    consumer = undefined;
    if (old !== undefined) {
      drop(nats, stream, old);
      log.debug("reads the log by a new consumer", { stream, next, reason });
    }
    const name = `reader${nuid.next()}`;
    const made = await untilAnswered(() => makeConsumer(nats, stream, name, next), closed.signal).catch((error: unknown) => {
      if (!closed.signal.aborted) log.error("the log can't be read", { stream, error });
      return undefined;
    });
    if (mine === generation) isRenewing = false;
    if (made === undefined || mine !== generation || closed.signal.aborted) return;
    const subscription = connection.subscribe(createInbox(), {
      callback: (error, message) => {
        if (error !== null || mine !== generation) return;
        heardMs = Date.now();
        const place = parsePlace(message.reply);
        if (place === undefined) onStatus(message);
        else take(message, place);
      },
    });
    consumer = { name, subscription, delivered: 0, open: 0 };
    pull();
  };

  const watchdog = setInterval(() => {
    if (!nats.isConnected()) return;
    if (consumer === undefined) {
      if (!isRenewing) void renew("the last try failed");
    } else if (consumer.open === 0) pull();
    else if (Date.now() - heardMs > silenceMaxMs) void renew("silence");
  }, lookEveryMs);
  const stopListening = nats.onReconnect(() => void renew("a reconnect"));
  void renew("opened");

  return {
    pull,
    next: () => next,
    [Symbol.dispose]: () => {
      closed.abort();
      generation++;
      clearInterval(watchdog);
      stopListening();
      if (consumer !== undefined) drop(nats, stream, consumer);
      consumer = undefined;
    },
  };
}

interface Place {
  readonly sequence: number;
  readonly delivered: number;
  readonly storedMs: number;
}

async function makeConsumer(nats: Nats, stream: string, name: string, from: number): Promise<object> {
  const config = {
    name,
    ack_policy: "none",
    deliver_policy: "by_start_sequence",
    opt_start_seq: Math.max(from, 1),
    inactive_threshold: inactiveMs * 1e6,
    mem_storage: true,
    num_replicas: 1,
  };
  return askJetStream(nats.connection, `CONSUMER.CREATE.${stream}.${name}`, { stream_name: stream, config, action: "create" });
}

function drop(nats: Nats, stream: string, { name, subscription }: Consumer): void {
  if (nats.connection.isClosed()) return;
  subscription.unsubscribe();
  // Nobody waits for the answer: a consumer that stays is removed by the server once it is inactive.
  if (nats.isConnected()) nats.connection.publish(`$JS.API.CONSUMER.DELETE.${stream}.${name}`);
}

/**
 * Reads "$JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<deliveries>.<sequence>.<consumer sequence>.<nanoseconds>.<pending>[.<token>]".
 * Stored times are cut to whole milliseconds, as every other way of reading them gives them.
 */
function parsePlace(reply: string | undefined): Place | undefined {
  if (reply === undefined || !reply.startsWith("$JS.ACK.")) return undefined;
  const tokens = reply.split(".");
  const at = tokens.length === 9 ? 5 : 7;
  return {
    sequence: Number(tokens[at]),
    delivered: Number(tokens[at + 1]),
    storedMs: Number(tokens[at + 2]?.slice(0, -6)),
  };
}
