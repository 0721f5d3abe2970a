import { list, number, oneOf, text, time } from "../api/json.ts";
import type { JsonObject } from "../api/json.ts";

/** What starts and signals runs by messages. */
export interface EventTrigger {
  readonly id: string;
  readonly workflow: string;
  readonly name: string;
  readonly pattern: string;
  readonly type: string;
  /** The signal that it delivers; empty: it starts runs. */
  readonly signal: string;
  readonly state: (typeof states)[number];
  /** Why nothing listens to its subject. */
  readonly blocked: string;
  readonly pausedBy: string;
  readonly pauseReason: string;
  readonly pausedAt: number | undefined;
  readonly retiredAt: number | undefined;
  /** Empty: the orchestrators' own. */
  readonly stream: string;
  readonly waiting: number;
  readonly inHands: number;
  readonly parked: number;
}

/** A message that could not be taken. */
export interface ParkedEvent {
  readonly id: string;
  readonly code: string;
  readonly reason: string;
  readonly parkedAt: number | undefined;
  readonly times: number;
  readonly subject: string;
  readonly stream: string;
  readonly sequence: string;
  readonly payload: Payload;
}

/** The bytes of a message, as a person can read them. */
export interface Payload {
  readonly text: string;
  /** What `text` is. */
  readonly form: "text" | "hexadecimal";
  readonly sizeBytes: number;
  /** Bytes that `text` leaves out. */
  readonly leftOut: number;
}

/** Parked messages of a page of the API's answer. */
export interface ParkedPage {
  readonly events: readonly ParkedEvent[];
  /** Empty: there are no more. */
  readonly next: string;
}

const states = ["STATE_UNSPECIFIED", "ACTIVE", "PAUSED", "BLOCKED", "RETIRED"] as const;
const outcomes = [
  "OUTCOME_UNSPECIFIED",
  "STARTED",
  "JOINED",
  "SIGNALLED",
  "UNWANTED",
  "PARKED",
  "AGAIN",
  "GONE",
] as const;
/** Bytes of a payload that are shown. */
const shownBytesMax = 2_000;

/** The answer of Triggers.List. */
export function toTriggers(answer: JsonObject): readonly EventTrigger[] {
  return list(answer, "triggers", (one) => ({
    id: text(one, "triggerId"),
    workflow: text(one, "workflow"),
    name: text(one, "name"),
    pattern: text(one, "pattern"),
    type: text(one, "type"),
    signal: text(one, "signal"),
    state: oneOf(one, "state", states, "STATE_UNSPECIFIED"),
    blocked: text(one, "blocked"),
    pausedBy: text(one, "pausedBy"),
    pauseReason: text(one, "pauseReason"),
    pausedAt: time(one, "pausedAt"),
    retiredAt: time(one, "retiredAt"),
    stream: text(one, "stream"),
    waiting: number(one, "waiting"),
    inHands: number(one, "inHands"),
    parked: number(one, "parked"),
  }));
}

/** An answer of Triggers.ListParked. */
export function toParkedPage(answer: JsonObject): ParkedPage {
  return {
    next: text(answer, "nextPageToken"),
    events: list(answer, "events", (one) => ({
      id: text(one, "parkedId"),
      code: text(one, "code"),
      reason: text(one, "reason"),
      parkedAt: time(one, "parkedAt"),
      times: number(one, "times"),
      subject: text(one, "subject"),
      stream: text(one, "stream"),
      sequence: text(one, "sequence"),
      payload: toPayload(text(one, "payload")),
    })),
  };
}

/** What came of a retry, in words: "1 started, 2 parked still". */
export function retriedText(answer: JsonObject): string {
  const came = list(answer, "events", (one) => oneOf(one, "outcome", outcomes, "OUTCOME_UNSPECIFIED"));
  const parts = outcomes.flatMap((outcome) => {
    const count = came.filter((one) => one === outcome).length;
    return count === 0 ? [] : [`${count} ${words[outcome]}`];
  });
  const said = parts.length === 0 ? "Nothing was parked any more" : parts.join(", ");
  return answer["more"] === true ? `${said}; there are more: retry again.` : `${said}.`;
}

const words: Readonly<Record<(typeof outcomes)[number], string>> = {
  OUTCOME_UNSPECIFIED: "not known",
  STARTED: "started",
  JOINED: "joined a run that was there",
  SIGNALLED: "signalled",
  UNWANTED: "not wanted",
  PARKED: "parked still",
  AGAIN: "can't be tried now",
  GONE: "gone",
};

/** Text where the bytes are UTF-8 without control characters, else their hexadecimal digits. */
export function toPayload(base64: string): Payload {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const shown = bytes.subarray(0, shownBytesMax);
  const common = { sizeBytes: bytes.length, leftOut: bytes.length - shown.length };
  const read = readText(bytes);
  // As many characters as bytes are shown: never more.
  if (read !== undefined) return { ...common, form: "text", text: read.slice(0, shownBytesMax) };
  const digits = Array.from(shown, (byte) => byte.toString(16).padStart(2, "0"));
  return { ...common, form: "hexadecimal", text: digits.join(" ") };
}

function readText(bytes: Uint8Array): string | undefined {
  try {
    const read = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return bytes.some(isControl) ? undefined : read;
  } catch {
    return undefined;
  }
}

/** Of ASCII; the bytes of all other characters are larger. */
function isControl(byte: number): boolean {
  return byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d;
}
