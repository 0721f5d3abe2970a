import type { CallPurpose } from "../world/call.ts";
import type { Given, JsonMessage, PlainMessage } from "./plain.ts";

/** How a call of a fake ends that is not just answered. */
export interface Ending {
  readonly [ending]: Special;
}

/** What a fake gives: the response, or how the call ends otherwise. */
export type Answer = Given | Ending;

/** A call, for a fake that wants to know more than its request. */
export interface FakeCall {
  /** "package.Service/Method" */
  readonly method: string;
  readonly runId: string;
  /** Path of the step: "labels[3]/label". */
  readonly step: string;
  /** The step's own call, the one that undoes it, or the one that asks whether it was carried out. */
  readonly purpose: CallPurpose;
  /** Counts from 1. */
  readonly attempt: number;
  /** Equal for all attempts of one logical call. */
  readonly idempotencyKey: string;
  /** The step's own headers. */
  readonly headers: Readonly<Record<string, string>>;
  /** Virtual time. */
  readonly at: Date;
  /** The request, encoded. */
  readonly bytes: Uint8Array;
}

/**
 * A method in place of the real one: from request to response. The request is protobuf JSON (camelCase, fields without presence always there);
 * its type may be written as narrow as the test wants it. While a promise is open, virtual time stands still.
 */
export type Fake = { answer(request: JsonMessage, call: FakeCall): Answer | Promise<Answer> }["answer"] | Answer;

/** Key of what makes an object an Ending; no message has it. */
export const ending: unique symbol = Symbol("sidestep.ending");

/** What the functions below make. */
export type Special =
  | { readonly kind: "fails"; readonly code: StatusCode; readonly message: string; readonly details: readonly Detail[] }
  | { readonly kind: "lost" }
  | { readonly kind: "unreachable" }
  | { readonly kind: "hangs" }
  | { readonly kind: "streams"; readonly messages: readonly Given[] }
  | { readonly kind: "delayed"; readonly delay: Delay; readonly answer: Answer }
  | { readonly kind: "crashes"; readonly what: "sidecar" | "orchestrator"; readonly answer: Answer };

/** Names of google.rpc.Code without OK. */
export const failureCodes = [
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
] as const;
export type StatusCode = (typeof failureCodes)[number];

/** A detail of a status: a message of protobuf-es, or a plain object with the full name of its type. */
export type Detail = (PlainMessage & { readonly "@type": string }) | Extract<Given, { readonly $typeName: string }>;

/** Milliseconds, or a text such as "300ms", "2s", "5m", "24h" or "7d". */
export type Delay = number | string;

/** The service answers with this status. */
export function fails(code: StatusCode, message = "", details: readonly Detail[] = []): Ending {
  return { [ending]: { kind: "fails", code, message, details } };
}

/** The call is carried out, and the connection breaks before its answer: nobody knows what became of it. */
export function lost(): Ending {
  return { [ending]: { kind: "lost" } };
}

/** The service can't be reached: the request never left. */
export function unreachable(): Ending {
  return { [ending]: { kind: "unreachable" } };
}

/** Nothing comes until the call's deadline. */
export function hangs(): Ending {
  return { [ending]: { kind: "hangs" } };
}

/** The messages of a method that returns a stream. */
export function streams(...messages: readonly Given[]): Ending {
  return { [ending]: { kind: "streams", messages } };
}

/** The same answer, after some virtual time. Where it is longer than the call's deadline, that passes instead. */
export function delayed(delay: Delay, answer: Answer): Ending {
  return { [ending]: { kind: "delayed", delay, answer } };
}

/**
 * The sidecar dies once the call is carried out, before it can say so. Its task is delivered to another one 3 s later, which calls again
 * where the step may be repeated: the fake is asked once more then.
 */
export function crashesSidecar(): Ending {
  return { [ending]: { kind: "crashes", what: "sidecar", answer: {} } };
}

/** The orchestrator dies while the call is under way; another one takes over 5 s later, and reads what became of it. */
export function crashesOrchestrator(answer: Answer): Ending {
  return { [ending]: { kind: "crashes", what: "orchestrator", answer } };
}

/** Each call gets the next of these; those after them, the last. */
export function inTurn(first: Fake, ...others: readonly Fake[]): Fake {
  const fakes = [first, ...others];
  let next = 0;
  return (request, call) => {
    const fake = fakes[Math.min(next++, fakes.length - 1)] ?? first;
    return typeof fake === "function" ? fake(request, call) : fake;
  };
}

/** It is what the functions above make, and no message. */
export function isEnding(answer: object): answer is Ending {
  return ending in answer;
}
