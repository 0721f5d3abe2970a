import { code } from "../../../proto/wire/status.ts";
import type { OutgoingRequest, ClientSession } from "../../../runtime/src/http2/clientSession.ts";
import type { ClientStream, StreamEnd, StreamHead, StreamSink } from "../../../runtime/src/http2/clientStream.ts";
import { uint32At } from "../../../runtime/src/http2/wire/frame.ts";
import { messageBytesMax } from "./callClient.ts";
import { httpStatus, parseCallStatus } from "./callStatus.ts";
import type { CallStatus } from "./callStatus.ts";

/** How a question ended: the number of a gRPC status, of the service or of ours, and what was said with it. */
export type AskedEnd = { readonly code: number; readonly message: string };

const prefixBytes = 5;
const nothing = new Uint8Array();

/** One message to a service, on an HTTP/2 stream of its own; each message that comes in answer is told when it is there. */
export class Question implements StreamSink {
  readonly method: string;
  readonly request: Uint8Array;
  readonly ended: Promise<AskedEnd>;
  readonly #resolve: (end: AskedEnd) => void;
  readonly #onMessage: (message: Uint8Array) => void;
  readonly #untilMs: number;
  readonly #timer: NodeJS.Timeout | undefined;
  #sent: { readonly session: ClientSession; readonly stream: ClientStream } | undefined;
  #status: CallStatus | undefined;
  #httpStatus = 200;
  #isOver = false;
  /** What has come and is no whole message yet. */
  #pieces: Uint8Array[] = [];
  #piecesBytes = 0;
  #wantedBytes = prefixBytes;

  /** `timeoutMs` 0: it has no end of its own. */
  constructor(method: string, request: Uint8Array, timeoutMs: number, onMessage: (message: Uint8Array) => void) {
    const { promise, resolve } = Promise.withResolvers<AskedEnd>();
    this.method = method;
    this.request = request;
    this.ended = promise;
    this.#resolve = resolve;
    this.#onMessage = onMessage;
    this.#untilMs = timeoutMs > 0 ? performance.now() + timeoutMs : Number.POSITIVE_INFINITY;
    const expire = (): void => this.fail(code.DEADLINE_EXCEEDED, `no answer within ${timeoutMs} ms`);
    this.#timer = timeoutMs > 0 ? setTimeout(expire, timeoutMs) : undefined;
  }

  isOver(): boolean {
    return this.#isOver;
  }

  /** What is left of its time, at least 1; 0: it has no end. */
  leftMs(): number {
    return Number.isFinite(this.#untilMs) ? Math.max(1, Math.ceil(this.#untilMs - performance.now())) : 0;
  }

  /** Sends it; the session has room. */
  begin(session: ClientSession, outgoing: OutgoingRequest): void {
    this.#sent = { session, stream: session.open(outgoing, this) };
  }

  cancel(): void {
    this.fail(code.CANCELLED, "nobody waits for it any more");
  }

  /** Ends it from our side. */
  fail(number: number, message: string): void {
    if (this.#isOver) return;
    this.#end({ code: number, message });
    this.#sent?.session.cancel(this.#sent.stream);
  }

  onHead({ status, fields }: StreamHead): void {
    if (status !== undefined) this.#httpStatus = status;
    this.#status = parseCallStatus(fields);
  }

  onContent(piece: Uint8Array): void {
    if (this.#httpStatus !== 200) return;
    // It lies in memory that what comes next is read into.
    this.#pieces.push(new Uint8Array(piece));
    this.#piecesBytes += piece.length;
    // A long message is put together once, not at each piece of it.
    if (this.#piecesBytes < this.#wantedBytes) return;
    let bytes: Uint8Array = Buffer.concat(this.#pieces);
    this.#wantedBytes = prefixBytes;
    while (bytes.length >= prefixBytes && !this.#isOver) {
      const size = uint32At(bytes, 1);
      if (bytes[0] !== 0) return this.fail(code.INTERNAL, "the answer is compressed although nobody asked for that");
      if (size > messageBytesMax) return this.fail(code.RESOURCE_EXHAUSTED, `a message of ${size} bytes came`);
      if (bytes.length < prefixBytes + size) {
        this.#wantedBytes = prefixBytes + size;
        break;
      }
      const message = bytes.subarray(prefixBytes, prefixBytes + size);
      bytes = bytes.subarray(prefixBytes + size);
      this.#onMessage(message);
    }
    this.#pieces = bytes.length === 0 ? [] : [bytes];
    this.#piecesBytes = bytes.length;
  }

  onEnd(end: StreamEnd): void {
    this.#end(this.#status ?? (this.#httpStatus === 200 ? endOf(end) : httpStatus(this.#httpStatus)));
  }

  #end({ code: number, message }: AskedEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#pieces = [nothing];
    this.#resolve({ code: number, message });
  }
}

function endOf(end: StreamEnd): AskedEnd {
  switch (end.kind) {
    case "ended":
      return { code: code.INTERNAL, message: "the service ended the call without a status" };
    case "reset":
      return { code: code.UNAVAILABLE, message: `the service broke the call off (HTTP/2 code ${end.code})` };
    case "broken":
      return { code: code.INTERNAL, message: end.message };
    case "lost":
      return { code: code.UNAVAILABLE, message: end.message };
    case "unprocessed":
      return { code: code.UNAVAILABLE, message: "the service refused the call" };
  }
}
