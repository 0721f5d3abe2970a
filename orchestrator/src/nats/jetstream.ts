import type { NatsConnection } from "@nats-io/transport-node";
import { setTimeout as delay } from "node:timers/promises";
import { firstAnswer } from "../../../runtime/src/firstAnswer.ts";

/** A JetStream request that was refused or got no answer. `code` is the server's err_code, 503 without responders, 408 without answer. */
export class JetStreamFailure extends Error {
  readonly code: number;
  /** The same request may succeed later. */
  readonly isPassing: boolean;
  constructor(message: string, code: number, isPassing: boolean, cause?: unknown) {
    super(message, { cause });
    this.name = "JetStreamFailure";
    this.code = code;
    this.isPassing = isPassing;
  }
}

/** A message as its stream's leader has it. */
export interface StoredMessage {
  readonly sequence: number;
  readonly subject: string;
  readonly data: Uint8Array;
  readonly storedMs: number;
  /** Raw header block; empty when it has none. */
  readonly headers: string;
}

/** Which message of a stream a leader read wants. */
export type Wanted =
  | { readonly kind: "last"; readonly subject: string }
  /** The first at or behind `from`, the first of all unless told. */
  | { readonly kind: "first"; readonly subject: string; readonly from?: number }
  | { readonly kind: "sequence"; readonly sequence: number };

const noSuchMessage = 10037;
const requestTimeoutMs = 5000;
const askAgainMs = 500;
const noResponders = 503;

/** What we read of the answers of the JetStream API; each request fills some of it. */
export interface JetStreamAnswer {
  readonly error?: { readonly code: number; readonly err_code?: number; readonly description?: string };
  readonly config?: object;
  /** Where a stream is: `name` of the cluster, unless the server belongs to none. */
  readonly cluster?: { readonly name?: string; readonly replicas?: readonly unknown[] };
  /** When the stream or consumer was made. */
  readonly created?: string;
  readonly state?: {
    readonly first_seq: number;
    readonly last_seq: number;
    /** How many subjects have messages. */
    readonly num_subjects?: number;
    readonly subjects?: Readonly<Record<string, number>>;
  };
  readonly message?: StoredAnswer;
  readonly streams?: readonly string[];
  /** Names, or what is known of each; `total`: how many there are over all pages. */
  readonly consumers?: readonly (string | ConsumerAnswer)[];
  readonly total?: number;
  readonly ack_floor?: ConsumerAnswer["ack_floor"];
  /** Messages that a consumer which has just been made has before it. */
  readonly num_pending?: number;
  /** Messages of a consumer that are delivered and not acknowledged. */
  readonly num_ack_pending?: number;
}

interface ConsumerAnswer {
  readonly name: string;
  readonly config?: { readonly filter_subject?: string };
  readonly ack_floor?: { readonly consumer_seq: number; readonly stream_seq: number };
  readonly num_pending?: number;
  readonly num_ack_pending?: number;
}

interface StoredAnswer {
  readonly seq: number;
  readonly subject: string;
  readonly data?: string;
  readonly hdrs?: string;
  readonly time: string;
}

/** One request to the JetStream API, as raw JSON: the client's typed calls drop options silently. Throws JetStreamFailure. */
export async function askJetStream(
  connection: NatsConnection,
  verb: string,
  body: object | undefined,
  timeoutMs = requestTimeoutMs,
): Promise<JetStreamAnswer> {
  const payload = body === undefined ? "" : JSON.stringify(body);
  const message = await connection
    .request(`$JS.API.${verb}`, payload, { timeout: timeoutMs })
    .catch((error: unknown) => {
      throw toFailure(verb, error);
    });
  return parseAnswer(verb, message.data);
}

/**
 * The same for what may be asked twice. It is asked again twice a second while nobody answers: what was asked of a leader that died, or while there
 * was none, is lost, and the next one may be elected at any moment. So is what a former leader refuses in passing, as one does that stood still and
 * goes on. The first answer counts.
 */
export function askAgain(
  connection: NatsConnection,
  verb: string,
  body: object | undefined,
  timeoutMs = requestTimeoutMs,
): Promise<JetStreamAnswer> {
  return askAnew(connection, (leftMs) => askJetStream(connection, verb, body, leftMs), timeoutMs);
}

/** The same for a question that is another one each time. */
export function askAnew<T>(
  connection: NatsConnection,
  ask: (leftMs: number) => Promise<T>,
  timeoutMs = requestTimeoutMs,
): Promise<T> {
  const mayWait = (error: unknown): boolean =>
    error instanceof JetStreamFailure && error.isPassing && error.code !== noResponders && !connection.isClosed();
  return firstAnswer(ask, { timeoutMs, everyMs: askAgainMs, mayWait });
}

/** Reads from the stream's leader: what decides is never read from a replica. Undefined: there is no such message. */
export async function readFromLeader(
  connection: NatsConnection,
  stream: string,
  wanted: Wanted,
  timeoutMs = requestTimeoutMs,
): Promise<StoredMessage | undefined> {
  try {
    const verb = `STREAM.MSG.GET.${stream}`;
    const { message } = await askAgain(connection, verb, toGetRequest(wanted), timeoutMs);
    if (message === undefined) throw new JetStreamFailure(`NATS answered ${verb} without a message`, 0, true);
    return {
      sequence: message.seq,
      subject: message.subject,
      data: Buffer.from(message.data ?? "", "base64"),
      storedMs: parseTimeMs(message.time),
      headers: message.hdrs === undefined ? "" : Buffer.from(message.hdrs, "base64").toString(),
    };
  } catch (error) {
    if (error instanceof JetStreamFailure && error.code === noSuchMessage) return undefined;
    throw error;
  }
}

/** A durable consumer, as its leader sees it. */
export interface ConsumerState {
  readonly name: string;
  readonly filter: string;
  /** All that it delivered up to here is acknowledged: sequence in the stream, and how many deliveries that were. */
  readonly floor: { readonly stream: number; readonly delivered: number };
  /** Messages not delivered yet, and those delivered and not acknowledged. */
  readonly waiting: number;
  readonly inHands: number;
}

/** The consumers of a stream that have a filter, page by page. */
export async function listConsumers(connection: NatsConnection, stream: string): Promise<readonly ConsumerState[]> {
  const found: ConsumerState[] = [];
  for (let offset = 0; ;) {
    const { consumers = [], total = 0 } = await askJetStream(connection, `CONSUMER.LIST.${stream}`, { offset });
    for (const consumer of consumers) {
      if (typeof consumer === "string") continue;
      const { name, config, ack_floor: floor, num_pending: waiting = 0, num_ack_pending: inHands = 0 } = consumer;
      const filter = config?.filter_subject ?? "";
      if (filter !== "") found.push({ name, filter, floor: toFloor(floor), waiting, inHands });
    }
    offset += consumers.length;
    if (consumers.length === 0 || offset >= total) return found;
  }
}

function toFloor(floor: ConsumerAnswer["ack_floor"]): ConsumerState["floor"] {
  return { stream: floor?.stream_seq ?? 0, delivered: floor?.consumer_seq ?? 0 };
}

/**
 * Repeats a request for as long as it fails in a passing way, with pauses that grow from 50 ms to 2 s. Throws what is not passing, or
 * the last failure once the signal is aborted.
 */
export async function untilAnswered<T>(request: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let pauseMs = 50; ; pauseMs = Math.min(2 * pauseMs, 2000)) {
    try {
      return await request();
    } catch (error) {
      if (!(error instanceof JetStreamFailure) || !error.isPassing || signal.aborted) throw error;
      await delay(pauseMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) throw error;
    }
  }
}

/** Milliseconds of a time as JetStream prints it, with the fraction that a double holds. */
export function parseTimeMs(time: string): number {
  return Date.parse(time);
}

function toGetRequest(wanted: Wanted): object {
  switch (wanted.kind) {
    case "last":
      return { last_by_subj: wanted.subject };
    case "first":
      return { seq: wanted.from ?? 1, next_by_subj: wanted.subject };
    case "sequence":
      return { seq: wanted.sequence };
  }
}

function toFailure(verb: string, error: unknown): JetStreamFailure {
  const message = error instanceof Error ? error.message : String(error);
  const code = message.includes("no responders") ? 503 : 408;
  return new JetStreamFailure(`NATS did not answer ${verb}: ${message}`, code, true, error);
}

/** The one parse function of this edge: an answer of the JetStream API, trusted to have its documented shape. */
function parseAnswer(verb: string, data: Uint8Array): JetStreamAnswer {
  const parsed: unknown = JSON.parse(Buffer.from(data).toString());
  const answer: JetStreamAnswer = typeof parsed === "object" && parsed !== null ? parsed : {};
  if (answer.error === undefined) return answer;
  const { code, err_code: number = code, description = "" } = answer.error;
  const isPassing = code === 503 || code === 429 || code === 408;
  throw new JetStreamFailure(`NATS refused ${verb}: ${description} (${number})`, number, isPassing);
}
