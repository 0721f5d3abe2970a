import { randomBytes } from "node:crypto";
import { MeshCall, MeshReply } from "../../../proto/gen/sidestep/internal/v1/relay.ts";
import { Failure_Origin } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { code } from "../../../proto/wire/status.ts";
import { splitMethod } from "../../../proto/wire/subjects.ts";
import type { Names } from "../../../proto/wire/subjects.ts";
import { errorText } from "../../../runtime/src/log.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import { growingPause, pause } from "../../../runtime/src/pause.ts";
import { carriedHeaders } from "../core/meshHeaders.ts";
import { askEveryMs, mayTryAgain, meshEnd } from "../core/meshTry.ts";
import type { MeshTry } from "../core/meshTry.ts";
import type { CallAnswer, IncomingCall } from "../wayIn.ts";
import { MeshAsks } from "./meshAsks.ts";
import type { MeshAnswer } from "./meshAsks.ts";
import { learn, MeshWatch } from "./meshWatch.ts";
import type { MeshKnowledge, MeshPlace } from "./meshWatch.ts";

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

/** Calls methods of other services at their sidecars, over NATS. */
export function openMesh(nats: Nats, names: Names): Mesh {
  const knowledge: MeshKnowledge = { idempotent: new Set(), answering: new Set() };
  const asks = new MeshAsks(nats.connection);
  const ground: Ground = {
    nats,
    names,
    asks,
    knowledge,
    watch: new MeshWatch(nats, asks, knowledge),
    nextId: newIds(),
  };
  return {
    carry: (caller, call, answer) => {
      let isGivenUp = false;
      void callMethod(ground, caller, call, () => isGivenUp).then((tried) => {
        if (isGivenUp) return;
        if (tried.kind === "completed") void answer.message(tried.response);
        answer.end(meshEnd(tried, knowledge.idempotent.has(call.method)));
      });
      return () => void (isGivenUp = true);
    },
  };
}

interface Ground {
  readonly nats: Nats;
  readonly names: Names;
  readonly asks: MeshAsks;
  readonly knowledge: MeshKnowledge;
  readonly watch: MeshWatch;
  readonly nextId: () => Uint8Array;
}

/** Ids of tries, by which whoever has one is asked for it: 8 random bytes of this process, and a number. */
function newIds(): () => Uint8Array {
  const own = randomBytes(8);
  let count = 0n;
  return () => {
    const id = Buffer.alloc(16);
    own.copy(id);
    id.writeBigUInt64BE(count++, 8);
    return id;
  };
}

/** Tries until it is answered, may not be tried again, or has no more time. Never throws. */
async function callMethod(
  ground: Ground,
  caller: string,
  call: IncomingCall,
  isGivenUp: () => boolean,
): Promise<MeshTry> {
  const { nats, names, knowledge, watch } = ground;
  const beganMs = performance.now();
  const timeoutMs = Math.min(call.leftMs() ?? timeoutMsDefault, timeoutMsMax);
  const bytesMax = (nats.connection.info?.max_payload ?? payloadBytesDefault) - aroundBytes;
  if (call.request.length > bytesMax)
    return ours(code.RESOURCE_EXHAUSTED, `the request has ${call.request.length} bytes, the mesh carries ${bytesMax}`);
  const { service } = splitMethod(call.method);
  const subject = names.meshSubject(service, caller);
  const place = { subject: names.meshAskSubject(service, caller), method: call.method };
  const everyMs = askEveryMs(timeoutMs);
  watch.introduce(place, everyMs);
  let nextPauseMs: (() => number) | undefined;
  for (let tries = 1; ; tries++) {
    const leftMs = Math.max(1, Math.ceil(beganMs + timeoutMs - performance.now()));
    const tried = await tryOnce(ground, { subject, place, leftMs, everyMs, isGivenUp }, call);
    const isOver = tried.kind === "refused" ? performance.now() - beganMs > absenceMsMax : tries >= triesMax;
    if (isOver || isGivenUp() || !mayTryAgain(tried, knowledge.idempotent.has(call.method))) return tried;
    nextPauseMs ??= growingPause(20, 500);
    const pauseMs = nextPauseMs();
    if (performance.now() + pauseMs > beganMs + timeoutMs) return tried;
    await pause(pauseMs);
    if (isGivenUp()) return tried;
  }
}

interface Try {
  readonly subject: string;
  readonly place: MeshPlace;
  readonly leftMs: number;
  readonly everyMs: number;
  readonly isGivenUp: () => boolean;
}

/** One request, until it is answered or nobody has it any more. */
function tryOnce(
  ground: Ground,
  { subject, place, leftMs, everyMs, isGivenUp }: Try,
  { method, request, headers }: IncomingCall,
): Promise<MeshTry> {
  const { nats, watch, nextId } = ground;
  if (!nats.isConnected()) return Promise.resolve({ kind: "refused", why: "there is no connection to NATS" });
  const id = nextId();
  const carried = carriedHeaders(headers).map(({ key, value }) => ({ key, value, secret: "" }));
  const data = MeshCall.encode({ method, request, headers: carried, timeoutMs: leftMs, id }).finish();
  const bytesMax = nats.connection.info?.max_payload ?? payloadBytesDefault;
  if (data.length > bytesMax) {
    const message = `the call has ${data.length} bytes with its headers, the mesh carries ${bytesMax}`;
    return Promise.resolve(ours(code.RESOURCE_EXHAUSTED, message));
  }
  return new Promise((resolve) => {
    const over = watch.begin(place, { id, everyMs, isGivenUp, onLost: () => resolve(nobodyHasIt) });
    void ask(ground, subject, { method, data, timeoutMs: leftMs + answerMarginMs }).then((tried) => {
      over();
      resolve(tried);
    });
  });
}

const nobodyHasIt: MeshTry = { kind: "silent", why: "the sidecar that had it is gone, or can't be reached" };

/** Never throws. */
async function ask(
  { asks, knowledge }: Ground,
  subject: string,
  { method, data, timeoutMs }: { readonly method: string; readonly data: Uint8Array; readonly timeoutMs: number },
): Promise<MeshTry> {
  let asked: Promise<MeshAnswer>;
  try {
    asked = asks.ask(subject, data, timeoutMs);
  } catch (error) {
    return { kind: "refused", why: `it can't be sent: ${errorText(error)}` };
  }
  try {
    const answer = await asked;
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
    learn(knowledge, method, isIdempotent);
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
    return { kind: "silent", why: `its sidecar's answer can't be read: ${errorText(error)}` };
  }
}

function ours(number: number, message: string): MeshTry {
  const failure = { code: number, message, details: new Uint8Array(), origin: Failure_Origin.SIDECAR };
  return { kind: "failed", failure, sent: false };
}
