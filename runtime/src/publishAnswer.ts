import { remembered } from "../../proto/wire/remembered.ts";

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

/** Nobody answered. */
export const timedOut: Published = { kind: "retryable", code: 408, message: "No acknowledgement came in time." };
/** Nobody could answer. */
export const disconnected: Published = { kind: "retryable", code: 0, message: "The connection to NATS is down." };
const inFlightElsewhere = 10_158;
const expectationInFlight = 10_164;
const wrongLastSequence = 10_071;
/** The account's storage is full, the server's memory or disk is, or a write to it failed: it passes when somebody makes room. */
const full: ReadonlySet<number> = new Set([10_002, 10_023, 10_028, 10_047, 10_077]);

/** What an answer in the acknowledgement inbox says; its bytes as characters. */
export function toPublished(text: string): Published {
  return parseStored(text) ?? toAnswered(text);
}

/** What a status says that came instead. */
export function toUnanswered(code: number): Published {
  return { kind: "retryable", code, message: code === 503 ? "No stream answers." : `Status ${code}.` };
}

const beforeSequence = `"seq":`;

/** Nearly all are {"stream":"…", "seq":…}, of a few streams. */
function parseStored(text: string): Published | undefined {
  if (!text.endsWith("}")) return undefined;
  const at = text.indexOf(beforeSequence) + beforeSequence.length;
  const last = text.length - 1;
  let sequence = 0;
  for (let next = at; next < last; next += 1) {
    const digit = text.charCodeAt(next) - 48;
    if (!(digit >= 0 && digit <= 9)) return undefined;
    sequence = sequence * 10 + digit;
  }
  const stream = streamIn(text.slice(0, at));
  return stream === undefined ? undefined : { kind: "stored", stream, sequence, duplicate: false };
}

/** The stream that is named alone before a sequence. */
const streamIn = remembered((text) => /^\{"stream":\s*"([^"\\]+)",\s*"seq":$/.exec(text)?.[1]);

function toAnswered(text: string): Published {
  const answer = parseAnswer(text);
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

/** Nothing more can be stored until somebody makes room. */
export function isNoRoom(published: Published): published is Extract<Published, { readonly kind: "retryable" }> {
  return published.kind === "retryable" && full.has(published.code);
}

function toRefusal({ code, err_code: number = 0, description = "" }: AnswerError): Published {
  if (number === wrongLastSequence) return { kind: "conflict", message: description };
  const passing =
    number === inFlightElsewhere ||
    number === expectationInFlight ||
    full.has(number) ||
    code === 503 ||
    code === 429 ||
    code === 408;
  return { kind: passing ? "retryable" : "permanent", code: number, message: description };
}

/** What an error of the client before sending says. */
export function toFailure(error: unknown): Published {
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
function parseAnswer(text: string): Answer | undefined {
  try {
    const answer: unknown = JSON.parse(Buffer.from(text, "latin1").toString());
    return typeof answer === "object" && answer !== null ? answer : undefined;
  } catch {
    return undefined;
  }
}
