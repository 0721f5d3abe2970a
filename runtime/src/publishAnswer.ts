import type { Msg } from "@nats-io/transport-node";

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

/** What an answer in the acknowledgement inbox says. */
export function toPublished(message: Msg): Published {
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
function parseAnswer(data: Uint8Array): Answer | undefined {
  try {
    const answer: unknown = JSON.parse(Buffer.from(data.buffer, data.byteOffset, data.length).toString());
    return typeof answer === "object" && answer !== null ? answer : undefined;
  } catch {
    return undefined;
  }
}
