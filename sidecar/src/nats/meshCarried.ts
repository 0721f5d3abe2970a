import { MeshCall, MeshReply } from "../../../proto/gen/sidestep/internal/v1/relay.ts";
import { Failure_Origin } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { Encoder } from "../../../proto/wire/encoder.ts";
import { code } from "../../../proto/wire/status.ts";
import { splitMethod } from "../../../proto/wire/subjects.ts";
import type { Names } from "../../../proto/wire/subjects.ts";
import { errorText } from "../../../runtime/src/log.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import { growingPause } from "../../../runtime/src/pause.ts";
import { carriedHeaders } from "../core/meshHeaders.ts";
import { askEveryMs, mayTryAgain, meshEnd } from "../core/meshTry.ts";
import type { MeshTry } from "../core/meshTry.ts";
import type { CallAnswer, IncomingCall } from "../wayIn.ts";
import type { Answer, Asking, Requests } from "./requests.ts";
import { learn } from "./meshWatch.ts";
import type { MeshKnowledge, MeshPlace, MeshWatch } from "./meshWatch.ts";

/** What the calls of a sidecar's service share. */
export interface MeshGround {
  readonly nats: Nats;
  readonly names: Names;
  readonly asks: Requests;
  readonly knowledge: MeshKnowledge;
  readonly watch: MeshWatch;
  readonly nextId: () => Uint8Array;
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

const { toBytes } = new Encoder();

/** One call of another service: tried until it is answered, may not be tried again, has no more time, or nobody waits for it. Then it holds nothing. */
export class Carried {
  readonly #ground: MeshGround;
  readonly #call: IncomingCall;
  readonly #answer: CallAnswer;
  readonly #service: string;
  readonly #subject: string;
  readonly #place: MeshPlace;
  readonly #beganMs = performance.now();
  readonly #timeoutMs: number;
  readonly #everyMs: number;
  #tries = 0;
  #nextPauseMs: (() => number) | undefined;
  #isOver = false;
  /** Of the try that is under way. */
  #asking: Asking | undefined;
  #watched: Disposable | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(ground: MeshGround, caller: string, call: IncomingCall, answer: CallAnswer) {
    this.#ground = ground;
    this.#call = call;
    this.#answer = answer;
    this.#service = splitMethod(call.method).service;
    this.#subject = ground.names.meshSubject(this.#service, caller);
    this.#place = { subject: ground.names.meshAskSubject(this.#service, caller), method: call.method };
    this.#timeoutMs = Math.min(call.leftMs() ?? timeoutMsDefault, timeoutMsMax);
    this.#everyMs = askEveryMs(this.#timeoutMs);
  }

  begin(): void {
    const { watch } = this.#ground;
    const { length } = this.#call.request;
    const bytesMax = this.#payloadBytesMax() - aroundBytes;
    if (length > bytesMax) return this.#end(tooLarge(`the request has ${length} bytes, the mesh carries ${bytesMax}`));
    watch.introduce(this.#place, this.#everyMs);
    this.#try();
  }

  /** Nobody waits for it any more. */
  giveUp(): void {
    this.#isOver = true;
    this.#letGo();
  }

  /** One request, until it is answered or nobody has it any more. */
  #try(): void {
    const { nats, asks, watch, nextId } = this.#ground;
    this.#tries++;
    if (!nats.isConnected()) return this.#tried({ kind: "refused", why: "there is no connection to NATS" });
    const id = nextId();
    const leftMs = Math.max(1, Math.ceil(this.#beganMs + this.#timeoutMs - performance.now()));
    const { method, request } = this.#call;
    const headers = carriedHeaders(this.#call.headers).map(({ key, value }) => ({ key, value, secret: "" }));
    const data = toBytes(MeshCall, { method, request, headers, timeoutMs: leftMs, id });
    const bytesMax = this.#payloadBytesMax();
    if (data.length > bytesMax)
      return this.#end(tooLarge(`the call has ${data.length} bytes with its headers, the mesh carries ${bytesMax}`));
    const onLost = (): void => this.#tried(nobodyHasIt);
    this.#watched = watch.begin(this.#place, { id, everyMs: this.#everyMs, onLost });
    try {
      this.#asking = asks.ask(this.#subject, data, leftMs + answerMarginMs, (answer) => this.#answered(answer));
    } catch (error) {
      this.#tried({ kind: "refused", why: `it can't be sent: ${errorText(error)}` });
    }
  }

  #answered(answer: Answer): void {
    switch (answer.kind) {
      case "nobody":
        return this.#tried({
          kind: "refused",
          why: `no sidecar of ${this.#service} lets this service in (--mesh-allow)`,
        });
      case "silence":
        return this.#tried({ kind: "silent", why: "its sidecar did not answer" });
      case "answer":
        return this.#tried(this.#read(answer.data));
    }
  }

  #read(data: Uint8Array): MeshTry {
    try {
      const { kind, sent, isIdempotent } = MeshReply.decode(data);
      learn(this.#ground.knowledge, this.#call.method, isIdempotent);
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

  #tried(tried: MeshTry): void {
    this.#letGo();
    if (this.#isOver) return;
    const nowMs = performance.now();
    const isEnough = tried.kind === "refused" ? nowMs - this.#beganMs > absenceMsMax : this.#tries >= triesMax;
    if (isEnough || !mayTryAgain(tried, this.#isIdempotent())) return this.#end(tried);
    this.#nextPauseMs ??= growingPause(20, 500);
    const pauseMs = this.#nextPauseMs();
    if (nowMs + pauseMs > this.#beganMs + this.#timeoutMs) return this.#end(tried);
    this.#timer = setTimeout(() => this.#try(), pauseMs);
  }

  #end(tried: MeshTry): void {
    this.#isOver = true;
    if (tried.kind === "completed") void this.#answer.message(tried.response);
    this.#answer.end(meshEnd(tried, this.#isIdempotent()));
  }

  #letGo(): void {
    this.#asking?.forget();
    this.#asking = undefined;
    this.#watched?.[Symbol.dispose]();
    this.#watched = undefined;
    clearTimeout(this.#timer);
  }

  #isIdempotent(): boolean {
    return this.#ground.knowledge.idempotent.has(this.#call.method);
  }

  #payloadBytesMax(): number {
    return this.#ground.nats.connection.info?.max_payload ?? payloadBytesDefault;
  }
}

const nobodyHasIt: MeshTry = { kind: "silent", why: "the sidecar that had it is gone, or can't be reached" };

function tooLarge(message: string): MeshTry {
  const failure = {
    code: code.RESOURCE_EXHAUSTED,
    message,
    details: new Uint8Array(),
    origin: Failure_Origin.SIDECAR,
  };
  return { kind: "failed", failure, sent: false };
}
