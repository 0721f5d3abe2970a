import type { PayloadRef } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type {
  RelayCall,
  RelayCall_Begin,
  RelayCall_Resume,
  RelayReply,
} from "../../../proto/gen/sidestep/internal/v1/relay.ts";
import { RpcStatus } from "../../../proto/gen/sidestep/internal/v1/rpc.ts";
import { nextHeader, runIdHeader, runProofHeader } from "../../../proto/wire/headers.ts";
import { relayedForm, relayHoldMs, relayPartBytes } from "../../../proto/wire/relay.ts";
import { parseRunId } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { code } from "../../../proto/wire/status.ts";
import { headersOfService } from "./access.ts";
import { runNotFound, thrownFailure, tooLarge, toServiceError } from "./failure.ts";
import type { Failure } from "./failure.ts";
import { endOf } from "./localCall.ts";
import type { LocalEnd } from "./localCall.ts";
import { beginsRun, runAskedFor, toOwnRuns } from "./ownRuns.ts";
import type { OwnRuns, OwnRunsGround } from "./ownRuns.ts";
import type { Rpcs } from "./rpcs.ts";
import { toAnswer } from "./runEnd.ts";
import type { IngressOptions } from "./starting.ts";
import { yieldsGone } from "./streaming.ts";

/** What carrying out calls of services needs. */
export interface RelayOptions extends Pick<IngressOptions, "front" | "closing" | "requestBytesMax"> {
  readonly rpcs: Pick<Rpcs, "find">;
  /** Whose tokens prove that a run is a service's own. */
  readonly credentials: OwnRunsGround["credentials"];
  /** A request that is kept apart; undefined: it is not there. Throws when NATS does not answer. */
  readonly fetchRequest: (ref: PayloadRef) => Promise<Uint8Array | undefined>;
  /** What the service has kept apart under this id is needed no more. */
  readonly dropRequest: (service: string, keptAs: RunId) => void;
}

/** Carries out calls of services. */
export interface Relay {
  /** Begins one; `reply` is called until an end or an again. Never throws. */
  carry(service: string, call: RelayCall, reply: (reply: RelayReply) => void): void;
  /** Resolves when none is under way. */
  idle(): Promise<void>;
}

/** Calls at a time; each costs what a caller's connection does. */
const callsMax = 10_000;
/** Of a stream: enough for one answer to go out. */
const batchBytes = 256 * 1024;

/** The rpcs of this orchestrator, for services that have no address of it. */
export function openRelay(options: RelayOptions): Relay {
  const ground: Ground = { ...options, own: toOwnRuns(options) };
  let calls = 0;
  let isIdle = (): void => undefined;
  const over = (): void => {
    calls--;
    if (calls === 0) isIdle();
  };
  return {
    carry: (service, { kind }, reply) => {
      const answer = newAnswer(reply, over);
      calls++;
      if (kind === undefined) return answer.fail(malformed("it asks for nothing"));
      const keptAs = kind.$case === "begin" ? keptBy(service, kind.value.requestPayload) : undefined;
      // A call is begun once, so that what it came with is of no use after it, however it ends.
      if (keptAs !== undefined) answer.onOver(() => options.dropRequest(service, keptAs));
      if (calls > callsMax) return answer.fail(tooMany);
      const work =
        kind.$case === "begin"
          ? begin(service, kind.value, answer, ground)
          : resume(service, kind.value, answer, ground);
      work.catch((error: unknown) => answer.fail(thrownFailure(error)));
    },
    idle: () => (calls === 0 ? Promise.resolve() : new Promise((resolve) => (isIdle = resolve))),
  };
}

interface Ground extends RelayOptions {
  readonly own: OwnRuns;
}

/** Under what the service has kept its request apart; undefined: what it names is not its own, or may be some run's. */
function keptBy(service: string, ref: PayloadRef | undefined): RunId | undefined {
  return ref?.service === service && relayedForm.test(ref.runId) ? parseRunId(ref.runId) : undefined;
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
async function begin(service: string, call: RelayCall_Begin, answer: Answer, options: Ground): Promise<void> {
  const { method } = call;
  const { own } = options;
  const headers = headersOfService(service, new Map(Object.entries(call.headers)));
  const rpc = options.rpcs.find(`/${method}`);
  if (rpc === undefined || rpc.kind === "bidi") return answer.fail(notServed(method));
  const request = await requestOf(service, call, options);
  if (!(request instanceof Uint8Array)) return answer.fail(request);
  const askedFor = runAskedFor(method, request);
  const foreign =
    askedFor === undefined ? undefined : await own.refusal(service, askedFor, headers.get(runProofHeader) ?? "");
  if (foreign !== undefined) return answer.fail(foreign);
  const timeoutMs = call.timeoutMs === 0 ? undefined : call.timeoutMs;
  let runId: string | undefined;
  let sentBytes = 0;
  const isResumable = (): boolean => rpc.endsWithRun && runId !== undefined;
  const leave = (): void => (isResumable() ? answer.again() : undefined);
  const cancel = rpc.call(
    request,
    { headers, timeoutMs, certificate: undefined, isLetIn: true },
    {
      headers: (sent) => {
        runId = sent.get(runIdHeader);
        const begun = runId !== undefined && beginsRun(method, rpc.endsWithRun) ? parseRunId(runId) : undefined;
        answer.headers(begun === undefined ? sent : new Map([...sent, [runProofHeader, own.proof(service, begun)]]));
        if (isResumable()) hold(answer, leave, options);
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
  // Who shuts down waits for it: a caller that is sent away before it knows its run would begin another.
  const late = (): void => (isResumable() ? undefined : answer.fail(tooLong(method, runId)));
  const timer = setTimeout(late, answersWithinMs);
  answer.onOver(() => clearTimeout(timer));
}

/** Goes on with a run: its next messages, or its end. */
async function resume(service: string, call: RelayCall_Resume, answer: Answer, options: Ground): Promise<void> {
  const runId = parseRunId(call.runId);
  if (runId === undefined) return answer.fail(malformed("its run id has not 16 bytes"));
  const foreign = await options.own.refusal(service, runId, call.proof);
  // Who has joined it at an orchestrator that gave no proof, or by a secret that is no more, joins it again by calling again.
  if (foreign?.reason === "RUN_NOT_OWN") return answer.fail({ ...foreign, code: code.UNAVAILABLE });
  if (foreign !== undefined) return answer.fail(foreign);
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
/** A start is durable by then, or has said why not; so long its asker listens. */
const answersWithinMs = 12_000;

/** Lets the asker ask again after a while, and when this orchestrator shuts down. */
function hold(answer: Answer, leave: () => void, { closing }: RelayOptions): void {
  const timer = setTimeout(leave, relayHoldMs);
  const forget = closing.onClose(leave);
  answer.onOver(() => {
    clearTimeout(timer);
    forget();
  });
}

/** What the call came with, or why it can't be had. */
async function requestOf(
  service: string,
  { request, requestPayload: ref }: RelayCall_Begin,
  { requestBytesMax, fetchRequest }: RelayOptions,
): Promise<Uint8Array | Failure> {
  if (ref === undefined) return request;
  if (ref.sizeBytes > requestBytesMax) return tooLarge(ref.sizeBytes, requestBytesMax, "request-bytes-max");
  const kept = keptBy(service, ref) === undefined ? undefined : await fetchRequest(ref);
  return kept ?? requestGone;
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

function tooLong(method: string, runId: string | undefined): Failure {
  const next = runId === undefined ? "call again" : `the run ${runId} goes on: wait with sidestep.v1.Runs/Wait`;
  return {
    code: code.UNAVAILABLE,
    message: `${method} gave no answer in time to a call through a sidecar; ${next}`,
    reason: "RELAY_TOO_LONG",
    metadata: runId === undefined ? { method } : { method, run_id: runId },
  };
}
