import { MeshCall, MeshReply } from "../../../proto/gen/sidestep/internal/v1/relay.ts";
import { Failure_Origin } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { isReplySubject } from "../../../proto/wire/inbox.ts";
import { code } from "../../../proto/wire/status.ts";
import { splitMethod } from "../../../proto/wire/subjects.ts";
import type { Names } from "../../../proto/wire/subjects.ts";
import { errorText } from "../../../runtime/src/log.ts";
import { MessageWriter } from "../../../runtime/src/messageWriter.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import { growingPause, pause } from "../../../runtime/src/pause.ts";
import { mayTryAgain } from "../core/meshTry.ts";
import type { MeshTry } from "../core/meshTry.ts";
import { failedEnd } from "../core/callEnd.ts";
import type { CallEnd } from "../core/callEnd.ts";
import type { CallAnswer, IncomingCall } from "../wayIn.ts";
import { MeshAsks } from "./meshAsks.ts";

/** The way from one service to the methods of others. */
export interface Mesh {
  /** Calls a method in the name of a service; the function that is returned gives it up. */
  carry(caller: string, call: IncomingCall, answer: CallAnswer): () => void;
}

/** Without a deadline of its own a call has this long. */
const timeoutMsDefault = 30_000;
/** A call that nobody takes is tried for so long. */
const absenceMsMax = 5_000;
/** Any other that may be made again is made so often. */
const triesMax = 5;
/** What the other sidecar takes to say that the call's time is over. */
const answerMarginMs = 250;
/** What timers and messages have room for; some 25 days. */
const timeoutMsMax = 2 ** 31 - 1 - answerMarginMs;
/** Room for method, headers and numbers in a message. */
const aroundBytes = 32 * 1024;
const payloadBytesDefault = 1024 * 1024;
/** Methods that a service has told of; it calls no more than it was built to. */
const methodsMax = 10_000;

/** Calls methods of other services at their sidecars, over NATS. */
export function openMesh(nats: Nats, names: Names): Mesh {
  const ground: Ground = { nats, names, asks: new MeshAsks(nats.connection), idempotent: new Set() };
  return {
    carry: (caller, call, answer) => {
      let isGivenUp = false;
      void callMethod(ground, caller, call, () => isGivenUp).then((tried) => {
        if (isGivenUp) return;
        if (tried.kind === "completed") void answer.message(tried.response);
        answer.end(toEnd(tried));
      });
      return () => void (isGivenUp = true);
    },
  };
}

interface Ground {
  readonly nats: Nats;
  readonly names: Names;
  readonly asks: MeshAsks;
  /** Methods that have said of themselves that they may be called twice. */
  readonly idempotent: Set<string>;
}

/** Tries until it is answered, may not be tried again, or has no more time. Never throws. */
async function callMethod(
  ground: Ground,
  caller: string,
  call: IncomingCall,
  isGivenUp: () => boolean,
): Promise<MeshTry> {
  const { nats, names, idempotent } = ground;
  const beganMs = performance.now();
  const timeoutMs = Math.min(call.leftMs() ?? timeoutMsDefault, timeoutMsMax);
  const bytesMax = (nats.connection.info?.max_payload ?? payloadBytesDefault) - aroundBytes;
  if (call.request.length > bytesMax)
    return ours(code.RESOURCE_EXHAUSTED, `the request has ${call.request.length} bytes, the mesh carries ${bytesMax}`);
  const subject = names.meshSubject(splitMethod(call.method).service, caller);
  let nextPauseMs: (() => number) | undefined;
  for (let tries = 1; ; tries++) {
    const leftMs = Math.max(1, Math.ceil(beganMs + timeoutMs - performance.now()));
    const tried = await tryOnce(ground, subject, call, leftMs);
    const isOver = tried.kind === "refused" ? performance.now() - beganMs > absenceMsMax : tries >= triesMax;
    if (isOver || !mayTryAgain(tried, idempotent.has(call.method))) return tried;
    nextPauseMs ??= growingPause(20, 500);
    const pauseMs = nextPauseMs();
    if (performance.now() + pauseMs > beganMs + timeoutMs) return tried;
    await pause(pauseMs);
    if (isGivenUp()) return tried;
  }
}

async function tryOnce(
  { nats, asks, idempotent }: Ground,
  subject: string,
  { method, request, headers }: IncomingCall,
  timeoutMs: number,
): Promise<MeshTry> {
  if (!nats.isConnected()) return { kind: "refused", why: "there is no connection to NATS" };
  const own = headers.map((header) => ({ ...header, secret: "" }));
  const data = MeshCall.encode({ method, request, headers: own, timeoutMs }).finish();
  try {
    const answer = await asks.ask(subject, data, timeoutMs + answerMarginMs);
    switch (answer.kind) {
      case "nobody":
        return {
          kind: "refused",
          why: `no sidecar of ${splitMethod(method).service} lets this service in (--mesh-allow)`,
        };
      case "silence":
        return { kind: "silent", why: "its sidecar did not answer" };
      case "answer":
        break;
    }
    const { kind, sent, isIdempotent } = MeshReply.decode(answer.data);
    if (isIdempotent && idempotent.size < methodsMax) idempotent.add(method);
    switch (kind?.$case) {
      case "completed":
        return { kind: "completed", response: kind.value };
      case "failed":
        return { kind: "failed", failure: kind.value, sent };
      case "refused":
        return { kind: "refused", why: kind.value };
      case undefined:
        return { kind: "silent", why: "its sidecar's answer can't be read" };
    }
  } catch (error) {
    return { kind: "silent", why: `its sidecar did not answer: ${errorText(error)}` };
  }
}

function ours(number: number, message: string): MeshTry {
  const failure = { code: number, message, details: new Uint8Array(), origin: Failure_Origin.SIDECAR };
  return { kind: "failed", failure, sent: false };
}

function toEnd(tried: MeshTry): CallEnd {
  switch (tried.kind) {
    case "completed":
      return failedEnd(code.OK, "");
    case "refused":
    case "silent":
      return failedEnd(code.UNAVAILABLE, tried.why);
    case "failed": {
      const { code: number, message, details } = tried.failure;
      return { code: number, message, details, trailers: new Map() };
    }
  }
}

/** Makes a call that another service asks for. Never rejects. */
export type MakeCall = (call: MeshCall) => Promise<MeshReply>;

/** One sidecar of the called service takes each call. */
const queue = "mesh";

/** Takes calls of a service's methods from those that may call it ("*": from all) until it is disposed of; what is on its way then is answered, too. */
export function serveMesh(
  nats: Nats,
  names: Names,
  service: string,
  callers: readonly string[],
  make: MakeCall,
): AsyncDisposable {
  const { connection } = nats;
  const writer = new MessageWriter(connection);
  const subjects = callers.includes("*") ? ["*"] : callers;
  const subscriptions = subjects.map((caller) =>
    connection.subscribe(names.meshSubject(service, caller), {
      queue,
      callback: (error, { data, reply }) => {
        if (error !== null || reply === undefined || !isReplySubject(reply)) return;
        const call = read(data);
        if (call === undefined || splitMethod(call.method).service !== service) return;
        void make(call).then((answer) => {
          if (connection.isClosed()) return;
          writer.write(reply, fitting(answer, connection.info?.max_payload), "", "");
          writer.flush();
        });
      },
    }),
  );
  return {
    [Symbol.asyncDispose]: async () => {
      if (!nats.isConnected()) return;
      // It fails when the connection is lost meanwhile, and then nothing more comes.
      await Promise.allSettled(subscriptions.map((one) => one.drain()));
    },
  };
}

/** An answer that no message has room for is told as that. */
function fitting(reply: MeshReply, bytesMax = payloadBytesDefault): Uint8Array {
  const data = MeshReply.encode(reply).finish();
  if (data.length <= bytesMax) return data;
  const message = `the answer has ${data.length} bytes, the mesh carries ${bytesMax}`;
  const failure = {
    code: code.RESOURCE_EXHAUSTED,
    message,
    details: new Uint8Array(),
    origin: Failure_Origin.TRANSPORT,
  };
  return MeshReply.encode({ ...reply, kind: { $case: "failed", value: failure }, sent: true }).finish();
}

function read(data: Uint8Array): MeshCall | undefined {
  try {
    const call = MeshCall.decode(data);
    // A call without an end would keep its place for ever.
    return { ...call, timeoutMs: Math.max(1, call.timeoutMs) };
  } catch {
    return undefined;
  }
}
