import { performance } from "node:perf_hooks";
import { createInbox, nuid } from "@nats-io/transport-node";
import type { Msg, NatsConnection, Subscription } from "@nats-io/transport-node";
import { openCopies } from "../../../proto/wire/copies.ts";
import { subscribeRaw } from "../../../runtime/src/messageReader.ts";
import type { Incoming } from "../../../runtime/src/messageReader.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import { pause } from "../../../runtime/src/pause.ts";
import type { LogMessage, ReadPace } from "../processor/ports.ts";
import { askJetStream, JetStreamFailure } from "./jetstream.ts";
import { makeConsumer, parsePlace } from "./logReader.ts";

/** What all pulls bring at most, but for the last message. */
const bytesMax = 4 * 1024 * 1024;
/**
 * One pull: what comes of it stands in front of all else on its way from nats-server and is taken in one go. So it is little: 5,000 messages at a time
 * make all others wait for some 25 ms of this process and as much of nats-server.
 */
export const portionMax = 512;
const portionBytesMax = 256 * 1024;
/** The longer an answer takes, the more is written meanwhile: reading has to keep up with it. */
const pauseMaxMs = 20;
const answerMaxMs = 5000;

/**
 * The next messages of a log from a position on, at most so many; none: that is its end. By a consumer without filter, as a reader has it, which is
 * gone afterwards, in portions. None is left out: one that got lost on the way is missed by the next one's number. Throws JetStreamFailure.
 */
export async function readNext(
  nats: Nats,
  stream: string,
  from: number,
  count: number,
  pace: ReadPace = "at once",
): Promise<readonly LogMessage[]> {
  const { name, pending } = await makeConsumer(nats, stream, "next", from);
  try {
    return pending === 0 ? [] : await readPortions(nats.connection, stream, name, Math.min(pending, count), pace);
  } finally {
    await askJetStream(nats.connection, `CONSUMER.DELETE.${stream}.${name}`, undefined).catch(() => undefined);
  }
}

async function readPortions(
  connection: NatsConnection,
  stream: string,
  name: string,
  count: number,
  pace: ReadPace,
): Promise<readonly LogMessage[]> {
  using pulls = new Pulls(connection, stream, name);
  const { messages } = pulls;
  while (messages.length < count && pulls.bytes < bytesMax) {
    const begunMs = performance.now();
    const batch = Math.min(count - messages.length, portionMax);
    const came = await pulls.pull({ batch, max_bytes: portionBytesMax });
    // The next one is larger than that, or nothing is left.
    if (came === 0 && (await pulls.pull({ batch: 1 })) === 0) break;
    if (pace === "among others" && messages.length < count)
      await pause(Math.min(performance.now() - begunMs, pauseMaxMs));
  }
  return messages;
}

/** Pulls of one consumer, one after the other. */
class Pulls implements Disposable {
  readonly messages: LogMessage[] = [];
  bytes = 0;
  readonly #connection: NatsConnection;
  readonly #stream: string;
  readonly #subject: string;
  /** Each pull has a name of its own in it, so that a late word about one that is over is not taken for one about the next. */
  readonly #inbox = createInbox();
  readonly #subscription: Subscription;
  readonly #copy = openCopies();
  #reply = "";
  #batch = 0;
  #before = 0;
  #done = Promise.withResolvers<void>();

  constructor(connection: NatsConnection, stream: string, name: string) {
    this.#connection = connection;
    this.#stream = stream;
    this.#subject = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${name}`;
    this.#subscription = subscribeRaw(connection, `${this.#inbox}.*`, {
      take: (message) => this.#take(message),
      status: (message) => this.#onStatus(message),
    });
  }

  /** What is there now: how many came. */
  async pull(request: { readonly batch: number; readonly max_bytes?: number }): Promise<number> {
    this.#reply = `${this.#inbox}.${nuid.next()}`;
    this.#batch = request.batch;
    this.#before = this.messages.length;
    this.#done = Promise.withResolvers<void>();
    const { promise } = this.#done;
    const timer = setTimeout(() => this.#fail(`NATS did not answer a pull from ${this.#stream}`, 408), answerMaxMs);
    try {
      const body = JSON.stringify({ ...request, no_wait: true });
      this.#connection.publish(this.#subject, body, { reply: this.#reply });
      await promise;
    } finally {
      clearTimeout(timer);
    }
    return this.messages.length - this.#before;
  }

  #take(message: Incoming): void {
    const { messages } = this;
    const place = parsePlace(message.replyTo());
    if (place === undefined) return;
    const { sequence, delivered, storedMs } = place;
    if (delivered !== messages.length + 1)
      return this.#fail(`a message of ${this.#stream} before ${sequence} got lost on the way`, 0);
    const data = message.data();
    this.bytes += data.length;
    messages.push({ sequence, storedMs, subject: message.subject(), data: this.#copy(data) });
    if (messages.length - this.#before === this.#batch) this.#done.resolve();
  }

  /** No more comes of this pull; or the consumer is gone, which does not say that the log ends here. */
  #onStatus({ subject, headers }: Msg): void {
    if (subject !== this.#reply) return;
    const { code = 0, description = "" } = headers ?? {};
    const isGone = code === 503 || (code === 409 && !/maxbytes|batch completed/i.test(description));
    if (isGone) this.#fail(`a pull from ${this.#stream} was ended: ${code} ${description}`, code);
    else this.#done.resolve();
  }

  #fail(message: string, code: number): void {
    this.#done.reject(new JetStreamFailure(message, code, true));
  }

  [Symbol.dispose](): void {
    if (!this.#connection.isClosed()) this.#subscription.unsubscribe();
  }
}
