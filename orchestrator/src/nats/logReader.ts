import { createInbox, nuid } from "@nats-io/transport-node";
import type { Msg, Subscription } from "@nats-io/transport-node";
import { openCopies } from "../../../proto/wire/copies.ts";
import type { Log } from "../../../runtime/src/log.ts";
import { subscribeRaw } from "../../../runtime/src/messageReader.ts";
import type { Incoming } from "../../../runtime/src/messageReader.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import type { LogMessage, LogReader } from "../processor/ports.ts";
import { askAnew, askJetStream, untilAnswered } from "./jetstream.ts";
import { mayTakeInTurn, takeInNextTurn } from "./turnShare.ts";

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
/** Of one pull: what is on its way to all readers of a connection counts, and with more than 64 MB nats-server drops it. */
const pullBytesMax = 2 * 1024 * 1024;
const heartbeatMs = 500;
const silenceMaxMs = 1300;
const lookEveryMs = 300;
const expiresMs = 5000;
const inactiveMs = 30_000;
const failedPauseMs = 5000;

/** More comes of the next pull. */
const endsPull = /maxbytes|batch completed/i;

interface Consumer {
  readonly name: string;
  readonly subscription: Subscription;
  readonly inbox: string;
  /** Where the open pull is answered: a late word about one that is over is not taken for one about the next. */
  reply: string;
  /** Messages of this consumer so far. */
  delivered: number;
  /** Messages still to come of the open pull; 0: none is open. */
  open: number;
  /** How many had been delivered when it was sent. */
  before: number;
  /** The next message is larger than a pull. */
  isLarge: boolean;
}

/**
 * Reads a log in stream order by an ephemeral consumer without filter and without acks: some 2 µs a message, where one filter costs up to
 * 290. It is made anew, behind the last message read, after 1.3 s of silence, a gap or a reconnect: with the client's defaults a reader
 * stands still for 25 to 45 s after the death of a stream's leader.
 */
export function openLogReader(nats: Nats, options: LogReaderOptions): LogReader {
  return new Reader(nats, options);
}

class Reader implements LogReader {
  readonly #nats: Nats;
  readonly #options: LogReaderOptions;
  readonly #watchdog: NodeJS.Timeout;
  readonly #stopListening: () => void;
  readonly #copy = openCopies();
  /** Come and not given out, from `#given` on: the turn of the event loop had enough. */
  #lump: LogMessage[] = [];
  #given = 0;
  #next: number;
  #consumer: Consumer | undefined;
  #heardMs = Date.now();
  #generation = 0;
  #isRenewing = false;
  /** Ends the search for a consumer that another one has taken the place of. */
  #search = new AbortController();
  /** After a failure that is not passing. */
  #notBeforeMs = 0;

  constructor(nats: Nats, options: LogReaderOptions) {
    this.#nats = nats;
    this.#options = options;
    this.#next = options.from;
    this.#watchdog = setInterval(() => this.#watch(), lookEveryMs);
    this.#stopListening = nats.onReconnect(() => void this.#renew("a reconnect"));
    void this.#renew("opened");
  }

  next(): number {
    return this.#next;
  }

  pull(): void {
    const consumer = this.#consumer;
    if (consumer === undefined || consumer.open > 0 || !this.#nats.isConnected()) return;
    const room = Math.min(pullMax, this.#options.room() - this.#left());
    if (room <= 0) return;
    const size = consumer.isLarge ? { batch: 1 } : { batch: room, max_bytes: pullBytesMax };
    consumer.isLarge = false;
    consumer.open = size.batch;
    consumer.before = consumer.delivered;
    consumer.reply = consumer.inbox + nuid.next();
    this.#heardMs = Date.now();
    const request = { ...size, expires: expiresMs * 1e6, idle_heartbeat: heartbeatMs * 1e6 };
    const subject = `$JS.API.CONSUMER.MSG.NEXT.${this.#options.stream}.${consumer.name}`;
    this.#nats.connection.publish(subject, JSON.stringify(request), { reply: consumer.reply });
  }

  [Symbol.dispose](): void {
    this.#search.abort();
    this.#generation++;
    clearInterval(this.#watchdog);
    this.#stopListening();
    if (this.#consumer !== undefined) drop(this.#nats, this.#options.stream, this.#consumer);
    this.#consumer = undefined;
    this.#lump = [];
    this.#given = 0;
  }

  #watch(): void {
    if (!this.#nats.isConnected()) return;
    if (this.#consumer === undefined) {
      if (!this.#isRenewing && Date.now() > this.#notBeforeMs) void this.#renew("the last try failed");
    } else if (this.#consumer.open === 0) this.pull();
    else if (Date.now() - this.#heardMs > silenceMaxMs) void this.#renew("silence");
  }

  #take(message: Incoming): void {
    const consumer = this.#consumer;
    const place = parsePlace(message.replyTo());
    if (consumer === undefined || place === undefined) return;
    consumer.delivered++;
    consumer.open--;
    if (place.delivered !== consumer.delivered) {
      void this.#renew("a gap");
      return;
    }
    if (place.sequence >= this.#next) {
      const data = this.#copy(message.data());
      const { sequence, storedMs } = place;
      const one = { sequence, storedMs, subject: message.subject(), data };
      if (this.#left() === 0 && mayTakeInTurn()) this.#give(one);
      else if (this.#lump.push(one) === 1) takeInNextTurn((share) => this.#giveMore(share));
    }
    if (consumer.open <= 0) this.pull();
  }

  #give(message: LogMessage): void {
    this.#next = message.sequence + 1;
    this.#options.onMessage(message);
  }

  #giveMore(share: number): void {
    const lump = this.#lump;
    for (let taken = 0; taken < share && this.#given < lump.length; taken++) {
      const message = lump[this.#given++];
      if (message !== undefined) this.#give(message);
      // It was disposed of, or reads anew.
      if (this.#lump !== lump) return;
    }
    if (this.#left() > 0) return takeInNextTurn((more) => this.#giveMore(more));
    this.#lump = [];
    this.#given = 0;
    // Its room may have been taken up by what waited here.
    if (this.#consumer?.open === 0) this.pull();
  }

  #left(): number {
    return this.#lump.length - this.#given;
  }

  #onStatus({ subject, headers }: Msg): void {
    const { code = 0, description = "" } = headers ?? {};
    const consumer = this.#consumer;
    if (code === 100 || consumer?.reply !== subject) return;
    consumer.open = 0;
    if (code === 409 && endsPull.test(description)) {
      consumer.isLarge = consumer.delivered === consumer.before;
      this.pull();
    } else if (code === 409) void this.#renew(description);
    else if (code === 503) void this.#renew("the consumer is gone");
    else this.pull();
  }

  async #renew(reason: string): Promise<void> {
    const { stream, log } = this.#options;
    const mine = ++this.#generation;
    this.#isRenewing = true;
    // Read again, behind what was given out.
    this.#lump = [];
    this.#given = 0;
    if (this.#consumer !== undefined) {
      drop(this.#nats, stream, this.#consumer);
      this.#consumer = undefined;
      log.debug("reads the log by a new consumer", { stream, next: this.#next, reason });
    }
    this.#search.abort();
    this.#search = new AbortController();
    const { signal } = this.#search;
    const make = (): Promise<MadeConsumer> => makeConsumer(this.#nats, stream, "reader", this.#next, signal);
    const made = await untilAnswered(make, signal).catch((error: unknown) => {
      if (signal.aborted) return undefined;
      log.error("the log can't be read", { stream, error });
      this.#notBeforeMs = Date.now() + failedPauseMs;
      return undefined;
    });
    if (mine !== this.#generation) {
      if (made !== undefined) remove(this.#nats, stream, made.name);
      return;
    }
    this.#isRenewing = false;
    if (made !== undefined && !signal.aborted) this.#listen(made.name, mine);
  }

  #listen(name: string, mine: number): void {
    const isMine = (): boolean => {
      if (mine !== this.#generation) return false;
      this.#heardMs = Date.now();
      return true;
    };
    const inbox = `${createInbox()}.`;
    const subscription = subscribeRaw(this.#nats.connection, `${inbox}*`, {
      take: (message) => {
        if (isMine()) this.#take(message);
      },
      status: (message) => {
        if (isMine()) this.#onStatus(message);
      },
    });
    this.#consumer = { name, subscription, inbox, reply: "", delivered: 0, open: 0, before: 0, isLarge: false };
    this.pull();
  }
}

interface Place {
  readonly sequence: number;
  readonly delivered: number;
  readonly storedMs: number;
}

/** A consumer that has just been made. */
export interface MadeConsumer {
  readonly name: string;
  /** Messages that it has before it. */
  readonly pending: number;
}

/**
 * A consumer without filter and acks, from a position on. nats-server places it on any server of the stream that it does not know to be away, and one
 * that stands still answers nothing; under its name it stays there. So each time that it is asked for it is another one, which may come to lie elsewhere;
 * those that come late are removed. Once `signal` aborts it is asked for no more.
 */
export async function makeConsumer(
  nats: Nats,
  stream: string,
  prefix: string,
  from: number,
  signal?: AbortSignal,
): Promise<MadeConsumer> {
  const { connection } = nats;
  // Or nobody waits for one any more.
  let isFound = false;
  const make = async (leftMs: number): Promise<MadeConsumer> => {
    signal?.throwIfAborted();
    const name = prefix + nuid.next();
    const config = {
      name,
      ack_policy: "none",
      deliver_policy: "by_start_sequence",
      opt_start_seq: Math.max(from, 1),
      inactive_threshold: inactiveMs * 1e6,
      mem_storage: true,
      num_replicas: 1,
    };
    const request = { stream_name: stream, config, action: "create" };
    const made = await askJetStream(connection, `CONSUMER.CREATE.${stream}.${name}`, request, leftMs);
    if (isFound) remove(nats, stream, name);
    isFound = true;
    return { name, pending: made.num_pending ?? 0 };
  };
  try {
    return await askAnew(connection, make);
  } finally {
    isFound = true;
  }
}

function drop(nats: Nats, stream: string, { name, subscription }: Consumer): void {
  if (nats.connection.isClosed()) return;
  subscription.unsubscribe();
  remove(nats, stream, name);
}

/** Nobody waits for the answer: a consumer that stays is removed by the server once it is inactive. */
function remove(nats: Nats, stream: string, name: string): void {
  if (nats.isConnected()) nats.connection.publish(`$JS.API.CONSUMER.DELETE.${stream}.${name}`);
}

/**
 * Reads "$JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<deliveries>.<sequence>.<consumer sequence>.<nanoseconds>.<pending>[.<token>]".
 * Stored times are cut to whole milliseconds, as every other way of reading them gives them.
 */
export function parsePlace(reply: string | undefined): Place | undefined {
  if (reply === undefined || !reply.startsWith("$JS.ACK.")) return undefined;
  let tokens = 1;
  for (let at = reply.indexOf("."); at >= 0; at = reply.indexOf(".", at + 1)) tokens += 1;
  let begin = 0;
  for (let skipped = 0; skipped < (tokens === 9 ? 5 : 7); skipped++) begin = reply.indexOf(".", begin) + 1;
  const delivered = reply.indexOf(".", begin) + 1;
  const stored = reply.indexOf(".", delivered) + 1;
  const end = reply.indexOf(".", stored);
  return {
    sequence: digits(reply, begin, delivered - 1),
    delivered: digits(reply, delivered, stored - 1),
    storedMs: digits(reply, stored, end - 6),
  };
}

/** The number that stands there. A text of its own for each is what costs here. */
function digits(text: string, begin: number, end: number): number {
  let number = 0;
  for (let at = begin; at < end; at++) number = number * 10 + (text.charCodeAt(at) - 48);
  return number;
}
