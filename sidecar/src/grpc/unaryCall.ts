import { constants } from "node:http2";
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import { code } from "../../../proto/wire/status.ts";
import type { Ending } from "../core/ending.ts";
import type { Call } from "../ports.ts";
import type { Answer } from "./answer.ts";
import { httpStatus, parseCallStatus } from "./callHeaders.ts";
import type { CallStatus } from "./callHeaders.ts";

/** A connection to the service that calls can be made on. */
export type Link = { readonly session: ClientHttp2Session; readonly peer: string };

type EndingRest = Ending extends infer E
  ? E extends Ending
    ? Omit<E, "peer" | "startedAtMs" | "endedAtMs">
    : never
  : never;

const prefixBytes = 5;
/** Up to here prefix and message go out as one frame; a copy of more costs more than a second frame. */
const copiedBytesMax = 64 * 1024;
const timerMsMax = 2 ** 31 - 1;

/** One call on an HTTP/2 stream of its own: bytes in, bytes out, and an ending that says who ended it and what was sent. */
export class UnaryCall implements Call {
  readonly ending: Promise<Ending>;
  readonly #resolve: (ending: Ending) => void;
  readonly #onDeadline: () => void;
  readonly #answer: Answer;
  readonly #startedAtMs = Date.now();
  #peer: string;
  #timer: NodeJS.Timeout | undefined;
  #stream: ClientHttp2Stream | undefined;
  #session: ClientHttp2Session | undefined;
  #status: CallStatus | undefined;
  #httpStatus = 200;
  #isOver = false;

  /** `onDeadline` is told when the deadline passes during the call: the connection may be dead. */
  constructor(target: string, timeoutMs: number, answer: Answer, onDeadline: () => void) {
    const { promise, resolve } = Promise.withResolvers<Ending>();
    this.ending = promise;
    this.#resolve = resolve;
    this.#onDeadline = onDeadline;
    this.#peer = target;
    this.#answer = answer;
    if (timeoutMs > 0) this.#timer = setTimeout(() => this.#expire(timeoutMs), Math.min(timeoutMs, timerMsMax));
  }

  isOver(): boolean {
    return this.#isOver;
  }

  /** Sends the request. */
  begin(link: Link, headers: OutgoingHttpHeaders, body: Uint8Array): void {
    if (this.#isOver) return;
    this.#peer = link.peer;
    this.#session = link.session;
    let stream: ClientHttp2Stream;
    try {
      stream = link.session.request(headers);
    } catch (error) {
      this.fail(code.UNAVAILABLE, `the connection takes no more calls: ${String(error)}`, false);
      return;
    }
    this.#stream = stream;
    stream.on("response", (received) => this.#receiveHeaders(received));
    stream.on("trailers", (received: IncomingHttpHeaders) => {
      this.#status = parseCallStatus(received);
    });
    stream.on("data", (chunk: Buffer) => this.#receive(chunk));
    // How it ended is read from the stream when it closes.
    stream.on("error", () => undefined);
    stream.on("close", () => this.#close(stream));
    write(stream, body);
  }

  reset(): void {
    this.fail(code.CANCELLED, "reset by the sidecar", this.#stream !== undefined);
  }

  /** Ends it from our side. */
  fail(number: number, message: string, sent: boolean): void {
    this.#end({
      kind: "failed",
      code: number,
      message,
      details: new Uint8Array(),
      pushback: undefined,
      origin: "transport",
      sent,
    });
    this.#stream?.close(constants.NGHTTP2_CANCEL);
  }

  #expire(timeoutMs: number): void {
    const isSent = this.#stream !== undefined;
    const where = isSent ? "" : " while connecting";
    this.fail(code.DEADLINE_EXCEEDED, `no answer within ${timeoutMs} ms${where}`, isSent);
    if (isSent) this.#onDeadline();
  }

  #receiveHeaders(received: IncomingHttpHeaders): void {
    this.#httpStatus = Number(received[":status"] ?? 200);
    this.#status = parseCallStatus(received);
  }

  #receive(chunk: Buffer): void {
    if (this.#isOver || this.#httpStatus !== 200) return;
    const unfit = this.#answer.take(chunk);
    if (unfit !== undefined) this.fail(unfit.code, unfit.message, true);
  }

  #close(stream: ClientHttp2Stream): void {
    if (this.#isOver) return;
    const status = this.#status ?? (this.#httpStatus === 200 ? undefined : httpStatus(this.#httpStatus));
    if (status === undefined) return this.#closeWithoutStatus(stream.rstCode ?? 0);
    if (status.code !== code.OK) return this.#end({ kind: "failed", ...status, origin: "service", sent: true });
    const response = this.#answer.finish();
    if (response instanceof Uint8Array) this.#end({ kind: "answered", response });
    else this.fail(response.code, response.message, true);
  }

  #closeWithoutStatus(rstCode: number): void {
    // A server that refuses a stream has not looked at it; so it is for streams after the last one of a GOAWAY.
    if (rstCode === constants.NGHTTP2_REFUSED_STREAM)
      return this.fail(code.UNAVAILABLE, "the service refused the stream", false);
    if (this.#session?.destroyed === true) return this.fail(code.UNAVAILABLE, "the connection was lost", true);
    const number = codesOfReset.get(rstCode) ?? code.INTERNAL;
    this.fail(number, `the service ended the call without a status (HTTP/2 code ${rstCode})`, true);
  }

  #end(rest: EndingRest): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#resolve({
      peer: this.#peer,
      startedAtMs: this.#startedAtMs,
      endedAtMs: Math.max(Date.now(), this.#startedAtMs),
      ...rest,
    });
  }
}

/** Not RESOURCE_EXHAUSTED for a server that is flooded: that is what we say of answers that are too large. */
const codesOfReset: ReadonlyMap<number, number> = new Map([
  [constants.NGHTTP2_CANCEL, code.CANCELLED],
  [constants.NGHTTP2_ENHANCE_YOUR_CALM, code.UNAVAILABLE],
  [constants.NGHTTP2_INADEQUATE_SECURITY, code.PERMISSION_DENIED],
]);

function write(stream: ClientHttp2Stream, body: Uint8Array): void {
  const isCopied = body.length <= copiedBytesMax;
  const frame = Buffer.allocUnsafe(prefixBytes + (isCopied ? body.length : 0));
  frame[0] = 0;
  frame.writeUInt32BE(body.length, 1);
  if (isCopied) {
    frame.set(body, prefixBytes);
    stream.end(frame);
  } else {
    stream.write(frame);
    stream.end(body);
  }
}
