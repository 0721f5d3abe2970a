import { connect } from "node:http2";
import type { ClientHttp2Session } from "node:http2";
import net from "node:net";
import type { Socket } from "node:net";
import tls from "node:tls";
import { code } from "../../../proto/wire/status.ts";
import { errorText } from "../../../runtime/src/log.ts";
import type { Call, CallRequest } from "../ports.ts";
import { openMessage, openStream } from "./answer.ts";
import { toCallHeaders } from "./callHeaders.ts";
import { messageBytesMax } from "./channel.ts";
import type { Tls } from "./channel.ts";
import type { Target } from "./target.ts";
import { UnaryCall } from "./unaryCall.ts";
import type { Link } from "./unaryCall.ts";

const connectTimeoutMs = 5_000;
const probeTimeoutDefaultMs = 5_000;
const streamWindowBytes = 1024 * 1024;
const connectionWindowBytes = 16 * 1024 * 1024;

/**
 * Makes calls of unary and server-streaming rpcs over HTTP/2 without a codec, on one connection that is made when it is needed. It costs less than half of what
 * grpc-js does (docs/adr/0010-unary-client.md), and tells exactly what was sent and who ended a call. Finding services and following their health stays
 * with grpc-js.
 */
export class UnaryClient implements Disposable {
  readonly #target: Target;
  readonly #tls: Tls | undefined;
  readonly #authority: string;
  #link: Link | undefined;
  #connecting: Promise<Link> | undefined;
  readonly #probeTimeoutMs: number;
  #isProbing = false;
  #isClosed = false;

  /** `probeTimeoutMs`: how long a server may take to answer a ping after a deadline has passed. */
  constructor(target: Target, tlsOptions: Tls | undefined, probeTimeoutMs = probeTimeoutDefaultMs) {
    this.#probeTimeoutMs = probeTimeoutMs;
    this.#target = target;
    this.#tls = tlsOptions;
    this.#authority = target.address.startsWith("unix:") ? "localhost" : target.address;
  }

  /** Makes one call; the deadline counts from now. Never throws. */
  call(request: CallRequest): Call {
    const call = new UnaryCall(
      this.#target.text,
      request.timeoutMs,
      request.stream === undefined ? openMessage() : openStream(request.stream),
      () => this.#probe(),
    );
    if (request.body.length > messageBytesMax) {
      call.fail(
        code.RESOURCE_EXHAUSTED,
        `the request has ${request.body.length} bytes, at most ${messageBytesMax} are sent`,
        false,
      );
      return call;
    }
    try {
      const headers = toCallHeaders(request, this.#tls === undefined ? "http" : "https", this.#authority);
      const link = this.#usableLink();
      if (link !== undefined) call.begin(link, headers, request.body);
      else {
        this.#connect().then(
          (made) => call.begin(made, headers, request.body),
          (error: unknown) =>
            call.fail(code.UNAVAILABLE, `no connection to ${this.#target.text}: ${errorText(error)}`, false),
        );
      }
    } catch (error) {
      call.fail(code.INTERNAL, `a header can't be sent: ${errorText(error)}`, false);
    }
    return call;
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#link?.session.destroy();
  }

  /** A session that was told to go away takes no new streams; the ones on it go on. */
  #usableLink(): Link | undefined {
    const link = this.#link;
    return link === undefined || link.session.closed || link.session.destroyed ? undefined : link;
  }

  #connect(): Promise<Link> {
    this.#connecting ??= this.#open().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #open(): Promise<Link> {
    if (this.#isClosed) throw new Error("the client is closed");
    const socket = this.#dial();
    const session = connect(`${this.#tls === undefined ? "http" : "https"}://${this.#authority}`, {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: streamWindowBytes },
      // By default a session refuses streams beyond 10 MB of memory.
      maxSessionMemory: Number.MAX_SAFE_INTEGER,
    });
    await ready(session);
    session.setLocalWindowSize(connectionWindowBytes);
    this.#link = { session, peer: peerOf(socket, this.#target) };
    return this.#link;
  }

  #dial(): Socket {
    const address = this.#target.address;
    const where = address.startsWith("unix:") ? { path: address.slice("unix:".length) } : hostAndPort(address);
    const about = { ...where, noDelay: true, keepAlive: true };
    if (this.#tls === undefined) return net.connect(about);
    const host = "host" in where ? where.host : "localhost";
    return tls.connect({
      ...about,
      ...(net.isIP(host) === 0 ? { servername: host } : {}),
      ...(this.#tls.ca === undefined ? {} : { ca: this.#tls.ca }),
      ...(this.#tls.cert === undefined ? {} : { cert: this.#tls.cert }),
      ...(this.#tls.key === undefined ? {} : { key: this.#tls.key }),
      ALPNProtocols: ["h2"],
    });
  }

  /** After a deadline: is there still anybody? A connection whose peer vanished without a word would cost every call its whole time. */
  #probe(): void {
    const link = this.#usableLink();
    if (link === undefined || this.#isProbing) return;
    this.#isProbing = true;
    const timer = setTimeout(() => link.session.destroy(), this.#probeTimeoutMs);
    const done = (): void => {
      clearTimeout(timer);
      this.#isProbing = false;
    };
    link.session.once("close", done);
    link.session.ping(() => {
      link.session.off("close", done);
      done();
    });
  }
}

/** Resolves when the server has spoken HTTP/2; until then nothing of a call is sent. */
function ready(session: ClientHttp2Session): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => session.destroy(new Error(`no HTTP/2 server answered within ${connectTimeoutMs} ms`)),
      connectTimeoutMs,
    );
    session.once("remoteSettings", () => {
      clearTimeout(timer);
      resolve();
    });
    // Stays for the session's life: an error without a listener would end the process. The streams are told by its end.
    session.on("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    session.once("close", () => {
      clearTimeout(timer);
      reject(new Error("the connection was closed"));
    });
  });
}

function hostAndPort(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon).replace(/^\[(.*)\]$/, "$1"), port: Number(address.slice(colon + 1)) };
}

function peerOf(socket: Socket, target: Target): string {
  const { remoteAddress, remotePort } = socket;
  if (remoteAddress === undefined || remotePort === undefined) return target.text;
  return net.isIPv6(remoteAddress) ? `[${remoteAddress}]:${remotePort}` : `${remoteAddress}:${remotePort}`;
}
