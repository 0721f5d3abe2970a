import { code } from "../../../proto/wire/status.ts";
import type { Deadline, Timed } from "../../../runtime/src/deadlines.ts";
import type { Connection } from "../../../runtime/src/http2/clientConnection.ts";
import type { OutgoingRequest } from "../../../runtime/src/http2/clientSession.ts";
import type { ClientStream, StreamEnd, StreamHead, StreamSink } from "../../../runtime/src/http2/clientStream.ts";
import { errorCode } from "../../../runtime/src/http2/wire/frame.ts";
import type { Ending, EndingRest } from "../core/ending.ts";
import type { Call, CallRequest } from "../ports.ts";
import type { Answer } from "./answer.ts";
import { httpStatus, parseCallStatus } from "./callStatus.ts";
import type { CallStatus } from "./callStatus.ts";

/** Who makes the calls, as one of them sees it. */
export interface Caller {
  /** The service went away without a look at it: it is to be begun on another connection. */
  again(call: UnaryCall): void;
  /** The deadline passed during the call: the connection may be dead. */
  suspect(connection: Connection): void;
  /** It is over. */
  over(call: UnaryCall): void;
}

/** One call on an HTTP/2 stream of its own: bytes in, bytes out, and an ending that says who ended it and what was sent. */
export class UnaryCall implements Call, StreamSink, Timed {
  readonly request: CallRequest;
  readonly ending: Promise<Ending>;
  deadline: Deadline | undefined;
  readonly #resolve: (ending: Ending) => void;
  readonly #caller: Caller;
  readonly #answer: Answer;
  readonly #startedAtMs = Date.now();
  #peer: string;
  #connection: Connection | undefined;
  #stream: ClientStream | undefined;
  #wasMoved = false;
  #status: CallStatus | undefined;
  #httpStatus = 200;
  #isOver = false;

  constructor(request: CallRequest, target: string, answer: Answer, caller: Caller) {
    const { promise, resolve } = Promise.withResolvers<Ending>();
    this.ending = promise;
    this.request = request;
    this.#resolve = resolve;
    this.#peer = target;
    this.#answer = answer;
    this.#caller = caller;
  }

  /** Bytes of it may have left. */
  isSent(): boolean {
    return this.#stream !== undefined;
  }

  /** What is left of the call's time, at least 1; 0: it has no end. */
  leftMs(): number {
    const { timeoutMs } = this.request;
    return timeoutMs > 0 ? Math.max(1, this.#startedAtMs + timeoutMs - Date.now()) : 0;
  }

  /** Sends the request; the connection has room for it. */
  begin(connection: Connection, outgoing: OutgoingRequest): void {
    this.#connection = connection;
    this.#peer = connection.peer ?? this.#peer;
    this.#stream = connection.session.open(outgoing, this);
  }

  reset(): void {
    this.fail(code.CANCELLED, "reset by the sidecar", this.#stream !== undefined);
  }

  expire(): void {
    const connection = this.#connection;
    const where = this.#stream === undefined ? " while waiting for a connection" : "";
    this.fail(
      code.DEADLINE_EXCEEDED,
      `no answer within ${this.request.timeoutMs} ms${where}`,
      this.#stream !== undefined,
    );
    if (connection !== undefined) this.#caller.suspect(connection);
  }

  /** Ends it from our side. */
  fail(number: number, message: string, sent: boolean): void {
    if (this.#isOver) return;
    if (this.#stream !== undefined) this.#connection?.session.cancel(this.#stream);
    this.#end({
      kind: "failed",
      code: number,
      message,
      details: new Uint8Array(),
      pushback: undefined,
      origin: "transport",
      sent,
    });
  }

  onHead({ status, fields }: StreamHead): void {
    if (status !== undefined) this.#httpStatus = status;
    this.#status = parseCallStatus(fields);
  }

  onContent(piece: Uint8Array): void {
    if (this.#httpStatus !== 200) return;
    const unfit = this.#answer.take(piece);
    if (unfit !== undefined) this.fail(unfit.code, unfit.message, true);
  }

  onEnd(end: StreamEnd): void {
    const status = this.#status ?? (this.#httpStatus === 200 ? undefined : httpStatus(this.#httpStatus));
    if (end.kind === "broken" || status === undefined) return this.#endWithoutStatus(end);
    if (status.code !== code.OK) return this.#end({ kind: "failed", ...status, origin: "service", sent: true });
    const response = this.#answer.finish();
    if (response instanceof Uint8Array) this.#end({ kind: "answered", response });
    else this.fail(response.code, response.message, true);
  }

  #endWithoutStatus(end: StreamEnd): void {
    switch (end.kind) {
      case "ended":
        return this.fail(code.INTERNAL, "the service ended the call without a status", true);
      case "reset": {
        const message = `the service ended the call without a status (HTTP/2 code ${end.code})`;
        return this.fail(codesOfReset.get(end.code) ?? code.INTERNAL, message, true);
      }
      case "broken":
        return this.fail(end.isTooLarge ? code.RESOURCE_EXHAUSTED : code.INTERNAL, end.message, true);
      case "lost":
        return this.fail(code.UNAVAILABLE, end.message, true);
      case "unprocessed":
        if (end.isRefused) return this.fail(code.UNAVAILABLE, "the service refused the stream", false);
        if (this.#wasMoved) return this.fail(code.UNAVAILABLE, "the service went away twice before the call", false);
        this.#wasMoved = true;
        this.#stream = undefined;
        this.#connection = undefined;
        return this.#caller.again(this);
    }
  }

  #end(rest: EndingRest): void {
    this.#isOver = true;
    this.#resolve({
      peer: this.#peer,
      startedAtMs: this.#startedAtMs,
      endedAtMs: Math.max(Date.now(), this.#startedAtMs),
      ...rest,
    });
    this.#caller.over(this);
  }
}

/** Not RESOURCE_EXHAUSTED for a server that is flooded: that is what we say of answers that are too large. */
const codesOfReset: ReadonlyMap<number, number> = new Map([
  [errorCode.CANCEL, code.CANCELLED],
  [errorCode.ENHANCE_YOUR_CALM, code.UNAVAILABLE],
  [errorCode.INADEQUATE_SECURITY, code.PERMISSION_DENIED],
]);
