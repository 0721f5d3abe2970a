import { Buffer } from "node:buffer";
import { NatsConnectionImpl, State } from "@nats-io/transport-node";
import type { Msg, NatsConnection, Parser, Subscription } from "@nats-io/transport-node";

/** A message as it lies in what came over the socket. It is good until its taker returns: what is kept of it is copied. */
export interface Incoming {
  subject(): string;
  /** What stands behind so many bytes of the subject. */
  subjectBehind(bytes: number): string;
  /** Where it wants to be answered; empty: nowhere. */
  replyTo(): string;
  /** Its content, in memory that holds more than this. */
  data(): Uint8Array;
  /** Its content, a character for each byte. */
  dataText(): string;
}

/** Whom the messages of a subscription are given to. */
export interface Taker {
  take(message: Incoming): void;
  /** What has no content, and a status instead. */
  status(message: Msg): void;
}

/**
 * Subscribes as the connection itself does, for what comes thousands of times a second: its messages are taken straight from what came over the
 * socket, where the client makes some ten objects of each. All else is the client's: the connection, what reconnects it, subscriptions, and every message that
 * came in parts, for other subscriptions, or before the reader of a new connection is in its place; such a one is given to the same taker.
 */
export function subscribeRaw(connection: NatsConnection, subject: string, taker: Taker): Subscription {
  // The one that every transport has; the interface does not show what it reads through.
  if (!(connection instanceof NatsConnectionImpl)) throw new TypeError("a connection that is none of the client's");
  let reader = readers.get(connection);
  if (reader === undefined) readers.set(connection, (reader = new Reader(connection)));
  return reader.subscribe(subject, taker);
}

const readers = new WeakMap<NatsConnectionImpl, Reader>();
const space = 32;
const carriageReturn = 13;
const lineEndBytes = 2;
const [letterM, letterH, letterG] = [77, 72, 71];

/** What the client makes of bytes. */
type Rest = (bytes: Uint8Array) => void;

/** Reads for all such subscriptions of a connection. */
class Reader {
  readonly #connection: NatsConnectionImpl;
  readonly #takers = new Map<number, { readonly subscription: Subscription; readonly taker: Taker }>();
  readonly #frame = new Frame();
  /** The one that we stand before. */
  #parser: Parser | undefined;
  /** Bytes of the message that the client is reading which have not come; 0: nobody knows. */
  #missing = 0;

  constructor(connection: NatsConnectionImpl) {
    this.#connection = connection;
    this.#attach(connection.protocol.parser);
    // Ends with the connection.
    void this.#follow();
  }

  subscribe(subject: string, taker: Taker): Subscription {
    const subscription = this.#connection.subscribe(subject, {
      callback: (error, message) => {
        if (error === null) give(message, taker);
      },
    });
    const id = subscription.getID();
    this.#takers.set(id, { subscription, taker });
    void subscription.closed.then(() => this.#takers.delete(id));
    return subscription;
  }

  /** Each connection to a server has a parser of its own. */
  async #follow(): Promise<void> {
    for await (const { type } of this.#connection.status())
      if (type === "reconnect") this.#attach(this.#connection.protocol.parser);
  }

  #attach(parser: Parser): void {
    // Of two reconnects the first may be heard of after the second.
    if (parser === this.#parser) return;
    this.#parser = parser;
    const rest = parser.parse.bind(parser);
    this.#missing = 0;
    parser.parse = (bytes) => {
      if (Buffer.isBuffer(bytes)) this.#read(bytes, parser, rest);
      else rest(bytes);
    };
  }

  #read(bytes: Buffer, parser: Parser, rest: Rest): void {
    let at = 0;
    if (parser.state !== State.OP_START) {
      // It is within a message, or within what is none and is read to the end.
      at = this.#missing > 0 ? Math.min(this.#missing, bytes.length) : bytes.length;
      this.#missing -= at;
      rest(bytes.subarray(0, at));
    }
    while (at < bytes.length) {
      const next = this.#readMessage(bytes, at, rest);
      if (next < 0) return rest(bytes.subarray(at));
      at = next;
    }
  }

  /** [H]MSG <subject> <id> [reply] [size of headers] <size>. Where the next one begins; -1: this is none, or not all of one. */
  #readMessage(bytes: Buffer, from: number, rest: Rest): number {
    this.#missing = 0;
    const hasHeaders = bytes[from] === letterH;
    const subject = from + (hasHeaders ? 5 : 4);
    if (bytes[subject - 1] !== space || bytes[subject - 2] !== letterG) return -1;
    if (!hasHeaders && bytes[from] !== letterM) return -1;
    const subjectEnd = wordEnd(bytes, subject);
    const idEnd = wordEnd(bytes, subjectEnd + 1);
    // Of the words behind it the last is the size, the one before, where there are headers, theirs, and what is left where to answer.
    const first = wordEnd(bytes, idEnd + 1);
    const second = bytes[first] === space ? wordEnd(bytes, first + 1) : first;
    const lineEnd = bytes[second] === space ? wordEnd(bytes, second + 1) : second;
    const words = lineEnd > second ? 3 : second > first ? 2 : 1;
    if (bytes[lineEnd] !== carriageReturn || (words === 3 && !hasHeaders)) return -1;
    const beforeSize = words === 3 ? second : words === 2 ? first : idEnd;
    const beforeHeaders = !hasHeaders ? beforeSize : words === 3 ? first : idEnd;
    const size = numberIn(bytes, beforeSize + 1, lineEnd);
    const headersSize = hasHeaders ? numberIn(bytes, beforeHeaders + 1, beforeSize) : 0;
    const content = lineEnd + lineEndBytes;
    const end = content + size + lineEndBytes;
    if (!(headersSize <= size)) return -1;
    if (end > bytes.length) {
      this.#missing = end - bytes.length;
      return -1;
    }
    const known = this.#takers.get(numberIn(bytes, subjectEnd + 1, idEnd));
    // A status, perhaps.
    if (known === undefined || (hasHeaders && headersSize === size)) {
      rest(bytes.subarray(from, end));
      return end;
    }
    const { protocol } = this.#connection;
    protocol.inMsgs += 1;
    protocol.inBytes += size;
    this.#frame.set(bytes, subject, subjectEnd, beforeHeaders, content + headersSize, content + size);
    if (!known.subscription.isClosed()) known.taker.take(this.#frame);
    return end;
  }
}

class Frame implements Incoming {
  #bytes: Buffer = Buffer.alloc(0);
  #subject = 0;
  #subjectEnd = 0;
  #replyEnd = 0;
  #data = 0;
  #dataEnd = 0;

  /** Where to answer stands behind subject and id; there is nothing when those end there. */
  set(bytes: Buffer, subject: number, subjectEnd: number, replyEnd: number, data: number, dataEnd: number): void {
    this.#bytes = bytes;
    this.#subject = subject;
    this.#subjectEnd = subjectEnd;
    this.#replyEnd = replyEnd;
    this.#data = data;
    this.#dataEnd = dataEnd;
  }

  subject(): string {
    return this.subjectBehind(0);
  }

  subjectBehind(bytes: number): string {
    return this.#bytes.toString("utf8", this.#subject + bytes, this.#subjectEnd);
  }

  replyTo(): string {
    const idEnd = wordEnd(this.#bytes, this.#subjectEnd + 1);
    return idEnd < this.#replyEnd ? this.#bytes.toString("utf8", idEnd + 1, this.#replyEnd) : "";
  }

  data(): Uint8Array {
    return this.#bytes.subarray(this.#data, this.#dataEnd);
  }

  dataText(): string {
    return this.#bytes.toString("latin1", this.#data, this.#dataEnd);
  }
}

/** One that the client has read. */
function give(message: Msg, taker: Taker): void {
  const { subject, reply = "", data } = message;
  if (data.length === 0 && (message.headers?.code ?? 0) !== 0) return taker.status(message);
  const bytes = Buffer.concat([Buffer.from(`${subject}  ${reply}`), data]);
  const subjectEnd = Buffer.byteLength(subject);
  const replyEnd = bytes.length - data.length;
  const frame = new Frame();
  frame.set(bytes, 0, subjectEnd, replyEnd, replyEnd, bytes.length);
  taker.take(frame);
}

/** Where the word that begins there ends. */
function wordEnd(bytes: Buffer, from: number): number {
  let at = from;
  for (let byte = bytes[at]; byte !== undefined && byte > space; byte = bytes[at]) at += 1;
  return at;
}

/** NaN when it is none. */
function numberIn(bytes: Buffer, from: number, to: number): number {
  let number = from < to ? 0 : Number.NaN;
  for (let at = from; at < to; at += 1) {
    const digit = (bytes[at] ?? 0) - 48;
    number = digit >= 0 && digit <= 9 ? number * 10 + digit : Number.NaN;
  }
  return number;
}
