import { createInbox } from "@nats-io/transport-node";
import type { Msg, Subscription } from "@nats-io/transport-node";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import type { LogMessage } from "../processor/ports.ts";
import { JetStreamFailure } from "./jetstream.ts";
import type { LoneStreams } from "./loneStreams.ts";

/** Reads all messages of one literal subject, 0.15 ms each; any replica may answer, so what it gives is to be proven complete. */
export interface DirectGets extends Disposable {
  read(stream: string, subject: string, from: number): Promise<readonly LogMessage[]>;
  /** The first so many, at most `batchMax`; fewer, with others pending, where they are too large for one answer. The server looks for no other. */
  readFirst(stream: string, subject: string, count: number): Promise<FirstMessages>;
}

export interface FirstMessages {
  readonly messages: readonly LogMessage[];
  /** How many the subject has behind them. */
  readonly pending: number;
}

/** Messages that are read in one request. */
export const batchMax = 1000;
/** Bytes of them, but for the last one. Without that nats-server puts as much on its way as makes it drop the connection, by default 64 MB. */
const bytesMax = 1024 * 1024;

/** What one replica was asked for, and has answered so far. */
interface Open {
  readonly messages: LogMessage[];
  pending: number;
  readonly reading: Reading;
}

/** Waits for the first of the replicas that have been asked. */
interface Reading {
  readonly tokens: string[];
  /** Whether its stream has copies is being asked. */
  isLookedAt: boolean;
  readonly resolve: (answer: Open) => void;
  readonly reject: (error: JetStreamFailure) => void;
}

const timeoutMs = 5000;
/** One that stands still answers as late as it likes, and a server that has no copy itself asks it as often as others. */
const askAgainMs = 400;

/** Opens direct gets over one subscription for all of them. Of a stream that has replicas another one is asked when the first does not answer. */
export function openDirectGets(nats: Nats, loneStreams: Pick<LoneStreams, "has">): DirectGets {
  return new InboxDirectGets(nats, loneStreams);
}

class InboxDirectGets implements DirectGets {
  readonly #nats: Nats;
  readonly #loneStreams: Pick<LoneStreams, "has">;
  readonly #inbox = `${createInbox()}.`;
  readonly #open = new Map<string, Open>();
  readonly #subscription: Subscription;
  readonly #stopListening: () => void;
  #count = 0;

  constructor(nats: Nats, loneStreams: Pick<LoneStreams, "has">) {
    this.#nats = nats;
    this.#loneStreams = loneStreams;
    this.#subscription = nats.connection.subscribe(`${this.#inbox}*`, {
      callback: (error, message) => {
        if (error === null) this.#take(message);
      },
    });
    this.#stopListening = nats.onDisconnect(() =>
      this.#failAll("The connection to NATS was lost during a direct get."),
    );
  }

  async read(stream: string, subject: string, from: number): Promise<readonly LogMessage[]> {
    const messages: LogMessage[] = [];
    for (let at = from; ;) {
      const batch = await this.#readBatch(stream, subject, at, batchMax);
      messages.push(...batch.messages);
      const last = batch.messages.at(-1);
      if (last === undefined || batch.pending === 0) return messages;
      at = last.sequence + 1;
    }
  }

  readFirst(stream: string, subject: string, count: number): Promise<FirstMessages> {
    return this.#readBatch(stream, subject, 1, Math.min(count, batchMax));
  }

  [Symbol.dispose](): void {
    this.#stopListening();
    this.#failAll("Direct gets have been closed.");
    if (!this.#nats.connection.isClosed()) this.#subscription.unsubscribe();
  }

  async #readBatch(stream: string, subject: string, from: number, batch: number): Promise<Open> {
    const request = JSON.stringify({ seq: Math.max(from, 1), batch, max_bytes: bytesMax, next_by_subj: subject });
    const { promise, resolve, reject } = Promise.withResolvers<Open>();
    const reading: Reading = { tokens: [], isLookedAt: false, resolve, reject };
    const begunMs = performance.now();
    this.#ask(reading, stream, request);
    const timer = setInterval(() => {
      if (performance.now() - begunMs > timeoutMs) fail(reading, 408, "The direct get was not answered in time.");
      else if (this.#isSilent(reading)) void this.#askAnother(reading, stream, request);
    }, askAgainMs);
    try {
      return await promise;
    } finally {
      clearInterval(timer);
      for (const token of reading.tokens) this.#open.delete(token);
    }
  }

  async #askAnother(reading: Reading, stream: string, request: string): Promise<void> {
    // That can take as long as the election of who knows it: all who had come to look would then ask at the same time.
    if (reading.isLookedAt) return;
    reading.isLookedAt = true;
    const isAlone = await this.#loneStreams.has(stream).catch(() => true);
    reading.isLookedAt = false;
    if (!isAlone && this.#isSilent(reading)) this.#ask(reading, stream, request);
  }

  /** It waits, and nobody has begun to answer. */
  #isSilent({ tokens }: Reading): boolean {
    return tokens.every((token) => this.#open.get(token)?.messages.length === 0);
  }

  #ask(reading: Reading, stream: string, request: string): void {
    const token = (this.#count++).toString(36);
    this.#open.set(token, { messages: [], pending: 0, reading });
    reading.tokens.push(token);
    try {
      this.#nats.connection.publish(`$JS.API.DIRECT.GET.${stream}`, request, { reply: this.#inbox + token });
    } catch (error) {
      fail(reading, 0, `The direct get can't be sent: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  #take(message: Msg): void {
    const entry = this.#open.get(message.subject.slice(this.#inbox.length));
    if (entry === undefined) return;
    const code = message.headers?.code ?? 0;
    // 204: the end of a batch; 404: nothing matched.
    if (code === 204 || code === 404) entry.reading.resolve(entry);
    else if (code !== 0) fail(entry.reading, code, `The direct get was refused with status ${code}.`);
    else collect(entry, message);
  }

  #failAll(message: string): void {
    for (const { reading } of this.#open.values()) fail(reading, 0, message);
  }
}

function fail({ reject }: Reading, code: number, message: string): void {
  reject(new JetStreamFailure(message, code, true));
}

function collect(entry: Open, message: Msg): void {
  const { headers } = message;
  if (headers === undefined) return;
  entry.pending = Number(headers.get("Nats-Num-Pending"));
  entry.messages.push({
    sequence: Number(headers.get("Nats-Sequence")),
    storedMs: Date.parse(headers.get("Nats-Time-Stamp")),
    subject: headers.get("Nats-Subject"),
    data: message.data.slice(),
  });
}
