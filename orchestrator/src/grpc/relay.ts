import type { PayloadRef } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type {
  RelayCall,
  RelayCall_Begin,
  RelayCall_Resume,
  RelayReply,
} from "../../../proto/gen/sidestep/internal/v1/relay.ts";
import { RpcStatus } from "../../../proto/gen/sidestep/internal/v1/rpc.ts";
import { nextHeader, runIdHeader } from "../../../proto/wire/headers.ts";
import { relayedForm, relayHoldMs, relayPartBytes } from "../../../proto/wire/relay.ts";
import { parseRunId } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { code } from "../../../proto/wire/status.ts";
import { letInService } from "./access.ts";
import { runNotFound, thrownFailure, toServiceError } from "./failure.ts";
import type { Failure } from "./failure.ts";
import { endOf } from "./localCall.ts";
import type { LocalEnd } from "./localCall.ts";
import type { Rpcs } from "./rpcs.ts";
import { toAnswer } from "./runEnd.ts";
import type { IngressOptions } from "./starting.ts";
import { yieldsGone } from "./streaming.ts";

/** What carrying out calls of services needs. */
export interface RelayOptions extends Pick<IngressOptions, "front" | "closing" | "log"> {
  readonly rpcs: Pick<Rpcs, "find">;
  /** A request that is kept apart; undefined: it is not there. Throws when NATS does not answer. */
  readonly fetchRequest: (ref: PayloadRef) => Promise<Uint8Array | undefined>;
  /** What was kept apart under this id is needed no more. */
  readonly dropRequest: (keptAs: RunId) => void;
}

/** Carries out a service's call; `reply` is called until an end or an again. Never throws. */
export type Relay = (service: string, call: RelayCall, reply: (reply: RelayReply) => void) => void;

/** Calls at a time; each costs what a caller's connection does. */
const callsMax = 10_000;
/** Of a stream: enough for one answer to go out. */
const batchBytes = 256 * 1024;

/** The rpcs of this orchestrator, for services that have no address of it. */
export function openRelay(options: RelayOptions): Relay {
  let calls = 0;
  return (service, { kind }, reply) => {
    const answer = newAnswer(reply, () => calls--);
    calls++;
    if (kind === undefined) return answer.fail(malformed("it asks for nothing"));
    if (calls > callsMax) return answer.fail(tooMany);
    const work =
      kind.$case === "begin" ? begin(service, kind.value, answer, options) : resume(kind.value, answer, options);
    work.catch((error: unknown) => answer.fail(thrownFailure(error)));
  };
}

/** What goes back, in frames; nothing goes after its end. */
interface Answer {
  headers(headers: ReadonlyMap<string, string>): void;
  message(bytes: Uint8Array): void;
  end(end: LocalEnd): void;
  fail(failure: Failure): void;
  again(): void;
  isOver(): boolean;
  /** Called at its end, at once when that has been. */
  onOver(listener: () => void): void;
}

function newAnswer(reply: (reply: RelayReply) => void, over: () => void): Answer {
  const listeners: (() => void)[] = [over];
  let isOver = false;
  const send = (kind: NonNullable<RelayReply["kind"]>): void => {
    if (!isOver) reply({ kind });
  };
  const last = (kind: NonNullable<RelayReply["kind"]>): void => {
    send(kind);
    if (isOver) return;
    isOver = true;
    for (const listener of listeners) listener();
  };
  const answer: Answer = {
    headers: (headers) => send({ $case: "headers", value: { headers: Object.fromEntries(headers) } }),
    message: (bytes) => {
      for (let at = 0; ; at += relayPartBytes) {
        const isLast = at + relayPartBytes >= bytes.length;
        send({ $case: "part", value: { bytes: bytes.subarray(at, at + relayPartBytes), isLast } });
        if (isLast) return;
      }
    },
    end: (end) => last({ $case: "end", value: toEnd(end) }),
    fail: (failure) => answer.end(endOf(toServiceError(failure))),
    again: () => last({ $case: "again", value: {} }),
    isOver: () => isOver,
    onOver: (listener) => {
      if (isOver) listener();
      else listeners.push(listener);
    },
  };
  return answer;
}

function toEnd({ code: number, message, details, trailers }: LocalEnd) {
  const status =
    details.length === 0 ? new Uint8Array() : RpcStatus.encode({ code: number, message, details }).finish();
  return { code: number, message, details: status, trailers: Object.fromEntries(trailers) };
}

/** Calls the rpc as it would be called from outside; once its run is known the call is held only so long. */
async function begin(service: string, call: RelayCall_Begin, answer: Answer, options: RelayOptions): Promise<void> {
  const { method, headers: given, requestPayload: ref } = call;
  const headers = letInService(method, service, new Map(Object.entries(given)));
  if (!("headers" in headers)) return answer.fail(headers);
  const rpc = options.rpcs.find(`/${method}`);
  if (rpc === undefined || rpc.kind === "bidi") return answer.fail(notServed(method));
  const request = ref === undefined ? call.request : await fetched(ref, options);
  if (request === undefined) return answer.fail(requestGone);
  const timeoutMs = call.timeoutMs === 0 ? undefined : call.timeoutMs;
  let isResumable = false;
  let sentBytes = 0;
  const leave = (): void => (isResumable ? answer.again() : undefined);
  const cancel = rpc.call(
    request,
    { headers: headers.headers, timeoutMs, certificate: undefined, isLetIn: true },
    {
      headers: (sent) => {
        answer.headers(sent);
        // Methods of ours answer with more than the run's end.
        isResumable = sent.has(runIdHeader) && !method.startsWith("sidestep.");
        if (isResumable) hold(answer, leave, options);
      },
      message: (bytes) => {
        answer.message(bytes);
        if (rpc.kind === "unary") return Promise.resolve();
        // What follows in this turn goes along; the rest is asked for.
        if (sentBytes === 0) setImmediate(leave);
        sentBytes += bytes.length;
        if (sentBytes >= batchBytes) leave();
        return Promise.resolve();
      },
      end: (end) => answer.end(end),
    },
  );
  answer.onOver(cancel);
  if (!isResumable)
    hold(answer, () => (isResumable ? undefined : answer.fail(tooLong(method))), options, startsWithinMs);
}

/** Goes on with a run: its next messages, or its end. */
async function resume(call: RelayCall_Resume, answer: Answer, options: RelayOptions): Promise<void> {
  const runId = parseRunId(call.runId);
  if (runId === undefined) return answer.fail(malformed("its run id has not 16 bytes"));
  const gone = new AbortController();
  answer.onOver(() => gone.abort());
  hold(answer, () => answer.again(), options);
  return call.streams
    ? followFrom(runId, call.from, gone.signal, answer, options)
    : waitForEnd(runId, gone.signal, answer, options);
}

async function waitForEnd(runId: RunId, signal: AbortSignal, answer: Answer, { front }: RelayOptions): Promise<void> {
  const waited = await front.wait(runId, signal);
  switch (waited.kind) {
    case "ended": {
      const end = toAnswer(runId, waited.ended);
      if (end.kind === "failure") return answer.fail(end.failure);
      answer.message(end.bytes);
      return answer.end(ok);
    }
    case "unknown":
      return answer.fail(runNotFound(runId));
    case "aborted":
      return answer.again();
  }
}

async function followFrom(
  runId: RunId,
  from: number,
  signal: AbortSignal,
  answer: Answer,
  { front }: RelayOptions,
): Promise<void> {
  const got = await front.follow(runId, from, signal);
  switch (got.kind) {
    case "yields":
      if (got.first !== from) return answer.fail(yieldsGone(runId, from, got.first));
      for (const bytes of got.messages) answer.message(bytes);
      return answer.again();
    case "ended": {
      const end = toAnswer(runId, got.ended);
      const trailers = new Map([[nextHeader, String(from)]]);
      return answer.end({ ...(end.kind === "failure" ? endOf(toServiceError(end.failure)) : ok), trailers });
    }
    case "unknown":
      return answer.fail(runNotFound(runId));
    case "aborted":
      return answer.again();
  }
}

const ok: LocalEnd = { code: code.OK, message: "", details: [], trailers: new Map() };
/** A start is durable by then, or has said why not. */
const startsWithinMs = 12_000;

/** Lets the asker ask again after a while, and when this orchestrator shuts down. */
function hold(answer: Answer, leave: () => void, { closing }: RelayOptions, ms = relayHoldMs): void {
  const timer = setTimeout(leave, ms);
  const forget = closing.onClose(leave);
  answer.onOver(() => {
    clearTimeout(timer);
    forget();
  });
}

async function fetched(ref: PayloadRef, options: RelayOptions): Promise<Uint8Array | undefined> {
  // What is dropped must be no run's.
  const keptAs = relayedForm.test(ref.runId) ? parseRunId(ref.runId) : undefined;
  if (keptAs === undefined) return undefined;
  const bytes = await options.fetchRequest(ref);
  options.dropRequest(keptAs);
  return bytes;
}

const tooMany: Failure = {
  code: code.RESOURCE_EXHAUSTED,
  message: `${callsMax} calls of services wait at this orchestrator; try again later`,
  reason: "RELAY_FULL",
  retryAfterMs: 1_000,
};

const requestGone: Failure = {
  code: code.UNAVAILABLE,
  message: "the request was kept apart and is not there any more; call again",
  reason: "RELAY_REQUEST_GONE",
};

function notServed(method: string): Failure {
  return {
    code: code.UNIMPLEMENTED,
    message: `${method} is no rpc of a deployed workflow; methods of other services take --mesh at the sidecar that is called through`,
    reason: "NOT_SERVED",
    metadata: { method },
  };
}

function malformed(why: string): Failure {
  return {
    code: code.INVALID_ARGUMENT,
    message: `the sidecar's call can't be read: ${why}`,
    reason: "RELAY_MALFORMED",
  };
}

function tooLong(method: string): Failure {
  return {
    code: code.UNAVAILABLE,
    message: `${method} gave no answer in time to a call through a sidecar; call again`,
    reason: "RELAY_TOO_LONG",
    metadata: { method },
  };
}
