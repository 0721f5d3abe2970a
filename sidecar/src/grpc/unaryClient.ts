import { code } from "../../../proto/wire/status.ts";
import { Deadlines } from "../../../runtime/src/deadlines.ts";
import { errorText } from "../../../runtime/src/log.ts";
import { openConnection } from "../../../runtime/src/http2/clientConnection.ts";
import type { Connection } from "../../../runtime/src/http2/clientConnection.ts";
import { putUint32 } from "../../../runtime/src/http2/wire/frame.ts";
import type { Call, CallRequest } from "../ports.ts";
import { openMessage, openStream } from "./answer.ts";
import { messageBytesMax } from "./callClient.ts";
import type { CallClient, Tls } from "./callClient.ts";
import { CallHeaders } from "./callHeaders.ts";
import type { OpenDoors } from "./serviceDoors.ts";
import { openServiceLink } from "./serviceLink.ts";
import { hostAndPort } from "./target.ts";
import type { Target } from "./target.ts";
import { UnaryCall } from "./unaryCall.ts";
import type { Caller } from "./unaryCall.ts";

const connectTimeoutMs = 5_000;
const probeTimeoutDefaultMs = 5_000;
const prefixBytes = 5;

/** Everything over our own HTTP/2. */
export const openOwnDoors: OpenDoors = (target, tls, onChange) => ({
  link: openServiceLink(target, tls, onChange),
  client: new UnaryClient(target, tls),
});

/**
 * Makes calls of unary and server-streaming rpcs without a codec, over an HTTP/2 of our own, on one connection that is made when it is needed
 * (docs/adr/0018-http2.md). It tells exactly what was sent and who ended a call. A call that finds no room on the connection waits for it; one
 * that the service certainly has not looked at goes to the next connection.
 */
export class UnaryClient implements CallClient {
  readonly #target: Target;
  readonly #tls: Tls | undefined;
  readonly #probeTimeoutMs: number;
  readonly #headers: CallHeaders;
  readonly #deadlines = new Deadlines();
  readonly #caller: Caller = {
    again: (call) => this.#wait(call),
    suspect: (connection) => this.#probe(connection),
    over: (call) => this.#over(call),
  };
  /** Begun and not sent: bounded by who makes the calls. */
  readonly #waiting: UnaryCall[] = [];
  readonly #probed = new Set<Connection>();
  readonly #prefix = new Uint8Array(prefixBytes);
  #connection: Connection | undefined;
  #hasBegun = false;
  #isConnecting = false;
  #isClosed = false;

  /** `probeTimeoutMs`: how long a server may take to answer a ping after a deadline has passed. */
  constructor(target: Target, tlsOptions: Tls | undefined, probeTimeoutMs = probeTimeoutDefaultMs) {
    this.#target = target;
    this.#tls = tlsOptions;
    this.#probeTimeoutMs = probeTimeoutMs;
    const authority = target.address.startsWith("unix:") ? "localhost" : target.address;
    this.#headers = new CallHeaders(tlsOptions === undefined ? "http" : "https", authority);
  }

  call(request: CallRequest): Call {
    const answer = request.stream === undefined ? openMessage() : openStream(request.stream);
    const call = new UnaryCall(request, this.#target.text, answer, this.#caller);
    if (request.timeoutMs > 0) call.deadline = this.#deadlines.add(call, request.timeoutMs);
    if (this.#isClosed) {
      call.fail(code.UNAVAILABLE, "the client is closed", false);
      return call;
    }
    const { length } = request.body;
    if (length > messageBytesMax) {
      call.fail(code.RESOURCE_EXHAUSTED, `the request has ${length} bytes, at most ${messageBytesMax} are sent`, false);
      return call;
    }
    try {
      const headBytes = this.#headers.write(request, request.timeoutMs);
      if (this.#waiting.length === 0 && this.#connection?.session.hasRoom() === true)
        this.#begin(call, this.#connection, headBytes);
      else this.#wait(call);
    } catch (error) {
      call.fail(code.INTERNAL, `a header can't be sent: ${errorText(error)}`, false);
    }
    return call;
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#connection?.session.end("the client is closed");
    this.#failWaiting("the client is closed");
    this.#deadlines[Symbol.dispose]();
  }

  #wait(call: UnaryCall): void {
    this.#waiting.push(call);
    this.#pump();
  }

  /** Begins what waits, as far as there is room; without a connection one is made. */
  #pump(): void {
    while (this.#waiting.length > 0) {
      const connection = this.#connection;
      if (connection?.session.isOpen() !== true) return this.#connect();
      if (!connection.session.hasRoom()) return;
      const call = this.#waiting.shift();
      if (call === undefined) return;
      this.#begin(call, connection, this.#headers.write(call.request, call.leftMs()));
    }
  }

  #begin(call: UnaryCall, connection: Connection, headBytes: number): void {
    const { body } = call.request;
    const { bytes, listBytes } = this.#headers;
    const { listBytesMax } = connection.session;
    if (listBytes > listBytesMax) {
      const message = `the headers have ${listBytes} bytes, the service takes at most ${listBytesMax}`;
      return call.fail(code.RESOURCE_EXHAUSTED, message, false);
    }
    putUint32(this.#prefix, 1, body.length);
    this.#hasBegun = true;
    call.begin(connection, { head: bytes, headBytes, lead: this.#prefix, body });
  }

  #connect(): void {
    if (this.#isConnecting || this.#isClosed) return;
    this.#isConnecting = true;
    const { address, text } = this.#target;
    let made: Connection | undefined;
    openConnection({
      where: address.startsWith("unix:") ? { path: address.slice("unix:".length) } : hostAndPort(address),
      tls: this.#tls,
      timeoutMs: connectTimeoutMs,
      onRoom: () => this.#pump(),
      onOver: () => {
        if (made !== undefined) this.#lose(made);
      },
    }).then(
      (connection) => {
        made = connection;
        this.#isConnecting = false;
        this.#connection = connection;
        this.#hasBegun = false;
        if (this.#isClosed) connection.session.end("the client is closed");
        else if (connection.session.isOpen()) this.#pump();
        else this.#lose(connection);
      },
      (error: unknown) => {
        this.#isConnecting = false;
        this.#failWaiting(`no connection to ${text}: ${errorText(error)}`);
      },
    );
  }

  #lose(connection: Connection): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    // A service that takes connections and no calls is not asked again and again.
    if (this.#hasBegun) this.#pump();
    else this.#failWaiting(`${this.#target.text} closed the connection before a call`);
  }

  #failWaiting(message: string): void {
    for (const call of this.#waiting.splice(0)) call.fail(code.UNAVAILABLE, message, false);
  }

  #over(call: UnaryCall): void {
    if (!call.isSent()) {
      const at = this.#waiting.indexOf(call);
      if (at >= 0) this.#waiting.splice(at, 1);
    }
    if (call.deadline !== undefined) this.#deadlines.over(call.deadline);
  }

  /** After a deadline: is there still anybody? A connection whose peer vanished without a word would cost every call its whole time. */
  #probe(connection: Connection): void {
    if (this.#probed.has(connection)) return;
    this.#probed.add(connection);
    const timer = setTimeout(() => {
      this.#probed.delete(connection);
      connection.session.end("the connection was lost: nobody answers a ping");
    }, this.#probeTimeoutMs).unref();
    connection.session.ping(() => {
      clearTimeout(timer);
      this.#probed.delete(connection);
    });
  }
}
