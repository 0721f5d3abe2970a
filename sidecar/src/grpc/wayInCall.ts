import { code } from "../../../proto/wire/status.ts";
import type { Deadline, Deadlines } from "../../../runtime/src/deadlines.ts";
import { AnswerWriter } from "../../../runtime/src/grpc/answerWriter.ts";
import type { AnswerRoom } from "../../../runtime/src/grpc/answerWriter.ts";
import type { Unpacker } from "../../../runtime/src/grpc/unpacker.ts";
import type { ServerSession } from "../../../runtime/src/http2/serverSession.ts";
import type { RequestSink, ServerStream } from "../../../runtime/src/http2/serverStream.ts";
import { openCallFrames } from "../../../runtime/src/grpc/callFrames.ts";
import type { CallFrame, CallFrames } from "../../../runtime/src/grpc/callFrames.ts";
import { failedEnd } from "../core/callEnd.ts";
import type { CallEnd } from "../core/callEnd.ts";
import type { CarryCall, GiveUp } from "../wayIn.ts";
import { healthCheck } from "./wayInHead.ts";
import type { CallHead } from "./wayInHead.ts";

/** What all calls share. */
export interface CallGround {
  readonly requestBytesMax: number;
  readonly heldBytesMax: number;
  readonly requestWithinMs: number;
  /** Of the requests of all calls. */
  readonly held: { bytes: number };
  readonly room: AnswerRoom;
  readonly unpacker: Unpacker;
  readonly deadlines: Deadlines;
  readonly carry: CarryCall;
  readonly isServing: () => boolean;
  /** A call is over. */
  readonly onOver: () => void;
}

/** The headers of a call that can be carried out. */
type GoodHead = Extract<CallHead, { readonly kind: "call" }>;

const prefixBytes = 5;
/** grpc.health.v1.HealthCheckResponse: SERVING, NOT_SERVING. */
const healthy = Uint8Array.of(0x08, 1);
const unhealthy = Uint8Array.of(0x08, 2);

/** One call of the service beside us: gathers its request, has it carried out, and holds its bytes until it is over. */
export class WayInCall implements RequestSink {
  readonly #ground: CallGround;
  readonly #head: GoodHead;
  readonly #answer: AnswerWriter;
  readonly #frames: CallFrames;
  readonly #dueMs: number | undefined;
  #heldBytes = 0;
  #isOver = false;
  /** The request is whole by then. */
  #within: Deadline | undefined;
  /** It has ended by then. */
  #deadline: Deadline | undefined;
  #giveUp: GiveUp = () => undefined;

  constructor(ground: CallGround, session: ServerSession, stream: ServerStream, head: GoodHead) {
    this.#ground = ground;
    this.#head = head;
    this.#answer = new AnswerWriter(session, stream, ground.room);
    this.#frames = openCallFrames(ground.requestBytesMax + prefixBytes);
    const { deadlines, requestWithinMs } = ground;
    const { timeoutMs } = head;
    this.#within = deadlines.add({ expire: () => this.#tooSlow() }, requestWithinMs);
    if (timeoutMs === undefined) return;
    this.#dueMs = performance.now() + timeoutMs;
    this.#deadline = deadlines.add({ expire: () => this.#late() }, timeoutMs);
  }

  onContent(piece: Uint8Array): void {
    if (this.#hold(piece.length) && this.#frames.add(piece)) this.#refuseLarge();
  }

  onWhole(): void {
    this.#forgetWithin();
    const messages = this.#frames.messages();
    if (messages === undefined) return this.#refuse(code.INTERNAL, "the request ends within a message");
    const { count, first: message } = messages;
    if (message === undefined || count > 1) {
      const text = `a call through a sidecar has one message as its request, this one has ${count}`;
      return this.#refuse(code.UNIMPLEMENTED, text);
    }
    if (message.isCompressed) this.#unpack(message);
    else this.#carry(message.bytes);
  }

  onSent(): void {
    this.#answer.sent();
  }

  onOver(): void {
    this.#isOver = true;
    this.#forgetWithin();
    if (this.#deadline !== undefined) this.#ground.deadlines.over(this.#deadline);
    this.#ground.held.bytes -= this.#heldBytes;
    this.#answer.sent();
    this.#giveUpFor("gone");
    this.#ground.onOver();
  }

  #unpack({ bytes }: CallFrame): void {
    const { encoding } = this.#head;
    if (encoding !== "gzip")
      return this.#refuse(code.UNIMPLEMENTED, `requests may be compressed by gzip, not by ${encoding}`);
    this.#ground.unpacker.add({
      bytes,
      isOver: () => this.#isOver,
      onUnpacked: (unpacked) => this.#unpacked(unpacked),
    });
  }

  #unpacked(unpacked: Uint8Array | NodeJS.ErrnoException): void {
    if (unpacked instanceof Uint8Array) {
      // It is held besides what it came in.
      if (this.#hold(unpacked.length)) this.#carry(unpacked);
    } else if (unpacked.code === "ERR_BUFFER_TOO_LARGE") this.#refuseLarge();
    else this.#refuse(code.INTERNAL, `the request can't be unpacked: ${unpacked.message}`);
  }

  #carry(request: Uint8Array): void {
    if (this.#answer.isOver()) return;
    const { method, headers } = this.#head;
    if (method === healthCheck) {
      void this.#answer.message(this.#ground.isServing() ? healthy : unhealthy);
      return this.#answer.end(failedEnd(code.OK, ""));
    }
    const giveUp = this.#ground.carry({ method, request, headers, leftMs: () => this.#leftMs() }, this.#answer);
    if (this.#isOver) giveUp("gone");
    else this.#giveUp = giveUp;
  }

  #leftMs(): number | undefined {
    return this.#dueMs === undefined ? undefined : Math.max(1, Math.ceil(this.#dueMs - performance.now()));
  }

  /** So many bytes more are held; false: they are too many, and the call is refused. */
  #hold(bytes: number): boolean {
    if (this.#isOver) return false;
    const { held, heldBytesMax } = this.#ground;
    this.#heldBytes += bytes;
    held.bytes += bytes;
    if (held.bytes <= heldBytesMax) return true;
    const text = `the requests of calls at this sidecar (--listen) have ${heldBytesMax} bytes, and no more are taken`;
    this.#refuse(code.RESOURCE_EXHAUSTED, text);
    return false;
  }

  #tooSlow(): void {
    const { requestWithinMs } = this.#ground;
    this.#refuse(code.DEADLINE_EXCEEDED, `the request was not whole within ${requestWithinMs} ms`);
  }

  #late(): void {
    // Before the stream is over, which says that the caller is gone.
    this.#giveUpFor("late");
    // Of who does not read nothing is kept any longer.
    this.#answer.cut(failedEnd(code.DEADLINE_EXCEEDED, "the call's own time is over"));
  }

  #giveUpFor(why: "gone" | "late"): void {
    const giveUp = this.#giveUp;
    this.#giveUp = () => undefined;
    giveUp(why);
  }

  #refuseLarge(): void {
    this.#refuse(code.RESOURCE_EXHAUSTED, `the request has more than ${this.#ground.requestBytesMax} bytes`);
  }

  #refuse(number: number, message: string): void {
    this.#answer.end(failedEnd(number, message));
  }

  #forgetWithin(): void {
    if (this.#within !== undefined) this.#ground.deadlines.over(this.#within);
    this.#within = undefined;
  }
}

/** A call that is ended at once: whatever comes of its request is dropped. */
export function refuseCall(
  session: ServerSession,
  stream: ServerStream,
  end: CallEnd,
  onOver: () => void,
): RequestSink {
  new AnswerWriter(session, stream).end(end);
  return dropped(onOver);
}

/** Tells one that speaks no gRPC. */
export function refuseForeign(session: ServerSession, stream: ServerStream, onOver: () => void): RequestSink {
  new AnswerWriter(session, stream).endForeign();
  return dropped(onOver);
}

function dropped(onOver: () => void): RequestSink {
  return { onContent: () => undefined, onWhole: () => undefined, onSent: () => undefined, onOver };
}
