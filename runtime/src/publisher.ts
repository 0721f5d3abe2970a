import { createInbox, headers as emptyHeaders } from "@nats-io/transport-node";
import type { Msg, MsgHdrs, NatsConnection } from "@nats-io/transport-node";

/**
 * What became of one publish to a stream. `retryable`: nobody knows whether it was stored, try again later with the same id.
 * `permanent`: it can never be stored as it is. `conflict`: the expectation did not hold (10071); after an own retry that may be the
 * own message, so read it back from the leader and compare.
 */
export type Published =
  | {
      readonly kind: "stored";
      readonly stream: string;
      readonly sequence: number;
      /** The stream knows the message id already: `sequence` is that message's. */
      readonly duplicate: boolean;
    }
  | { readonly kind: "conflict"; readonly message: string }
  | { readonly kind: "retryable"; readonly code: number; readonly message: string }
  | { readonly kind: "permanent"; readonly code: number; readonly message: string };

/**
 * Publishes to streams over one acknowledgement inbox of its own: some six times cheaper than the client's js.publish, which makes a
 * request for each message. Never throws for what the server answers.
 */
export interface Publisher extends Disposable {
  /** `headers`: lines made by `headerLine`, one after the other; empty for none. */
  publish(subject: string, data: Uint8Array, headers?: string): Promise<Published>;
  /** Publishes without an answer yet, the ones that wait for room included. */
  pending(): number;
}

/** One header line. Neither part may hold a line break. */
export function headerLine(name: string, value: string): string {
  if (/[\r\n]/.test(value)) throw new Error(`A line break in the value of the header ${name}.`);
  return `${name}: ${value}\r\n`;
}

/** The header by which a stream drops doubles. */
export function messageIdLine(id: string): string {
  return headerLine("Nats-Msg-Id", id);
}

/** Only stored when `sequence` is the last of its subject in the stream; 0: when there is none. */
export function expectLastLine(sequence: number): string {
  return `Nats-Expected-Last-Subject-Sequence: ${sequence}\r\n`;
}

const sweepEveryMs = 250;

interface Waiting {
  readonly resolve: (published: Published) => void;
  readonly until: number;
}

interface Queued {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: string;
  readonly resolve: (published: Published) => void;
}

/**
 * Opens a publisher on a connection. At most `inFlightMax` publishes are unanswered at a time, the rest waits in order: a stream's
 * ingest queue holds 10,000. One without an answer after `timeoutMs`, or at a disconnect, is retryable.
 */
export function openPublisher(
  connection: NatsConnection,
  {
    inFlightMax = 4000,
    timeoutMs = 5000,
    inboxPrefix = "_INBOX",
  }: { readonly inFlightMax?: number; readonly timeoutMs?: number; readonly inboxPrefix?: string } = {},
): Publisher {
  const inbox = `${createInbox(inboxPrefix)}.`;
  const waiting = new Map<string, Waiting>();
  let queue: Queued[] = [];
  let next = 0;
  let connected = true;
  let sweeper: NodeJS.Timeout | undefined;

  const settle = (token: string, published: Published): void => {
    const entry = waiting.get(token);
    if (entry === undefined) return;
    waiting.delete(token);
    entry.resolve(published);
    if (queue.length > 0 && waiting.size < inFlightMax) drainQueue();
  };
  const subscription = connection.subscribe(`${inbox}*`, {
    callback: (error, message) => {
      if (error === null) settle(message.subject.slice(inbox.length), toPublished(message));
    },
  });
  const send = ({ subject, data, headers, resolve }: Queued): void => {
    const token = (next++).toString(36);
    try {
      connection.publish(
        subject,
        data,
        headers === "" ? { reply: inbox + token } : { reply: inbox + token, headers: new HeaderText(headers) },
      );
    } catch (error) {
      resolve(toFailure(error));
      return;
    }
    waiting.set(token, { resolve, until: Date.now() + timeoutMs });
    sweeper ??= setInterval(sweep, sweepEveryMs).unref();
  };
  const drainQueue = (): void => {
    const room = inFlightMax - waiting.size;
    const now = queue.slice(0, room);
    queue = queue.slice(room);
    now.forEach(send);
  };
  const sweep = (): void => {
    const now = Date.now();
    for (const [token, entry] of waiting) {
      if (entry.until > now) break;
      settle(token, timedOut);
    }
    if (waiting.size > 0) return;
    clearInterval(sweeper);
    sweeper = undefined;
  };
  const failAll = (published: Published): void => {
    const queued = queue;
    queue = [];
    for (const token of [...waiting.keys()]) settle(token, published);
    for (const { resolve } of queued) resolve(published);
  };
  // Ends with the connection.
  void (async () => {
    for await (const event of connection.status()) {
      if (event.type === "disconnect") {
        connected = false;
        failAll(disconnected);
      } else if (event.type === "reconnect") connected = true;
    }
  })();

  return {
    publish: (subject, data, headers = "") => {
      if (!connected) return Promise.resolve(disconnected);
      return new Promise((resolve) => {
        const queued = { subject, data, headers, resolve };
        if (waiting.size < inFlightMax) send(queued);
        else queue.push(queued);
      });
    },
    pending: () => waiting.size + queue.length,
    [Symbol.dispose]: () => {
      if (!connection.isClosed()) subscription.unsubscribe();
      failAll({ kind: "retryable", code: 0, message: "The publisher has been closed." });
      clearInterval(sweeper);
    },
  };
}

const timedOut: Published = { kind: "retryable", code: 408, message: "No acknowledgement came in time." };
const disconnected: Published = { kind: "retryable", code: 0, message: "The connection to NATS is down." };
const inFlightElsewhere = 10158;
const expectationInFlight = 10164;
const wrongLastSequence = 10071;

function toPublished(message: Msg): Published {
  if (message.data.length === 0) {
    const code = message.headers?.code ?? 0;
    return { kind: "retryable", code, message: code === 503 ? "No stream answers." : `Status ${code}.` };
  }
  const answer = parseAnswer(message.data);
  if (answer === undefined) return { kind: "retryable", code: 0, message: "An acknowledgement that is none." };
  if (answer.error === undefined) {
    return {
      kind: "stored",
      stream: answer.stream ?? "",
      sequence: answer.seq ?? 0,
      duplicate: answer.duplicate === true,
    };
  }
  return toRefusal(answer.error);
}

function toRefusal({ code, err_code: number = 0, description = "" }: AnswerError): Published {
  if (number === wrongLastSequence) return { kind: "conflict", message: description };
  const passing =
    number === inFlightElsewhere || number === expectationInFlight || code === 503 || code === 429 || code === 408;
  return { kind: passing ? "retryable" : "permanent", code: number, message: description };
}

function toFailure(error: unknown): Published {
  const message = error instanceof Error ? error.message : String(error);
  return { kind: message.includes("max_payload") ? "permanent" : "retryable", code: 0, message };
}

interface AnswerError {
  readonly code: number;
  readonly err_code?: number;
  readonly description?: string;
}

interface Answer {
  readonly error?: AnswerError;
  readonly stream?: string;
  readonly seq?: number;
  readonly duplicate?: boolean;
}

/** The one parse function of this edge: the acknowledgement of a stream. */
function parseAnswer(data: Uint8Array): Answer | undefined {
  try {
    const answer: unknown = JSON.parse(Buffer.from(data.buffer, data.byteOffset, data.length).toString());
    return typeof answer === "object" && answer !== null ? (answer as Answer) : undefined;
  } catch {
    return undefined;
  }
}

const none: MsgHdrs = emptyHeaders();

/** Headers that are written once as text: the client's own map costs some 10 µs a message. Only good for publishing. */
class HeaderText implements MsgHdrs {
  readonly hasError = false;
  readonly status = "";
  readonly code = 0;
  readonly description = "";
  readonly #lines: string;
  constructor(lines: string) {
    this.#lines = lines;
  }
  /** Called by the client when it writes the message. */
  encode(): Uint8Array {
    return Buffer.from(`NATS/1.0\r\n${this.#lines}\r\n`);
  }
  get(): string {
    return "";
  }
  set(): void {}
  append(): void {}
  has(): boolean {
    return false;
  }
  keys(): string[] {
    return [];
  }
  values(): string[] {
    return [];
  }
  delete(): void {}
  last(): string {
    return "";
  }
  [Symbol.iterator](): Iterator<[string, string[]]> {
    return none[Symbol.iterator]();
  }
}
