import { code } from "../../../proto/wire/status.ts";
import { growingPause, pause } from "../../../runtime/src/pause.ts";
import { openConnection } from "../../../runtime/src/http2/clientConnection.ts";
import type { Connection } from "../../../runtime/src/http2/clientConnection.ts";
import { putUint32 } from "../../../runtime/src/http2/wire/frame.ts";
import type { Tls } from "./callClient.ts";
import { CallHeaders } from "./callHeaders.ts";
import { Question } from "./question.ts";
import type { AskedEnd } from "./question.ts";
import { hostAndPort } from "./target.ts";
import type { Target } from "./target.ts";

/** A question that was sent, or is going to be. */
export interface Asked {
  /** Never rejects. */
  readonly ended: Promise<AskedEnd>;
  cancel(): void;
}

/** The connection to one service process over which it is asked about itself; it comes back by itself. */
export interface ServiceLink extends Disposable {
  isConnected(): boolean;
  /**
   * Sends one message to a method, "package.Service/Method", and tells each that comes in answer. After `timeoutMs` it ends with
   * DEADLINE_EXCEEDED; 0: never by itself. Without a connection it ends at once.
   */
  ask(method: string, request: Uint8Array, timeoutMs: number, onMessage: (message: Uint8Array) => void): Asked;
}

const connectTimeoutMs = 5_000;
const reconnectFirstMs = 100;
const reconnectMaxMs = 2_000;
/** Servers by default take a ping each 5 minutes without complaint. */
const pingEveryMs = 310_000;
const pingTimeoutMs = 20_000;
const prefixBytes = 5;

/** Opens it over our own HTTP/2, and tells each change between connected and not, beginning with the first one. */
export function openServiceLink(
  target: Target,
  tls: Tls | undefined,
  onChange: (isConnected: boolean) => void,
): ServiceLink {
  const stop = new AbortController();
  const headers = new CallHeaders(tls === undefined ? "http" : "https", authorityOf(target));
  /** Asked and not sent: as many as the service has services and files at the most. */
  const waiting: Question[] = [];
  let connection: Connection | undefined;
  const pump = (): void => {
    while (connection?.session.hasRoom() === true) {
      const question = waiting.shift();
      if (question === undefined) return;
      if (question.isOver()) continue;
      const { method, request: body } = question;
      const headBytes = headers.write({ method, headers: [] }, question.leftMs());
      const lead = new Uint8Array(prefixBytes);
      putUint32(lead, 1, body.length);
      question.begin(connection.session, { head: headers.bytes, headBytes, lead, body });
    }
  };
  const keep = async (): Promise<void> => {
    let nextPauseMs = growingPause(reconnectFirstMs, reconnectMaxMs);
    while (!stop.signal.aborted) {
      const openedMs = performance.now();
      const left = Promise.withResolvers<void>();
      const made = await connectTo(target, tls, {
        // A server that says GOAWAY finishes what it has; nothing new can be asked of it.
        onRoom: () => (connection?.session.isOpen() === false ? left.resolve() : pump()),
        onOver: left.resolve,
      });
      if (made?.session.isOpen() === true && !stop.signal.aborted) {
        connection = made;
        using _ = pinged(made);
        onChange(true);
        await Promise.race([left.promise, aborted(stop.signal)]);
        connection = undefined;
        for (const question of waiting.splice(0)) question.fail(code.UNAVAILABLE, "the connection was lost");
        // One that takes connections and closes them again is not asked again and again.
        if (performance.now() - openedMs > reconnectMaxMs) nextPauseMs = growingPause(reconnectFirstMs, reconnectMaxMs);
        if (!stop.signal.aborted) onChange(false);
      }
      if (stop.signal.aborted) made?.session.end("the sidecar is done with the service");
      else await pause(nextPauseMs(), stop.signal);
    }
  };
  void keep();
  return {
    isConnected: () => connection !== undefined,
    ask: (method, request, timeoutMs, onMessage) => {
      const question = new Question(method, request, timeoutMs, onMessage);
      if (connection === undefined) question.fail(code.UNAVAILABLE, "there is no connection");
      else {
        waiting.push(question);
        pump();
      }
      return question;
    },
    [Symbol.dispose]: () => stop.abort(),
  };
}

/** Undefined: nobody is there, or nobody who speaks HTTP/2. */
async function connectTo(
  target: Target,
  tls: Tls | undefined,
  told: { readonly onRoom: () => void; readonly onOver: () => void },
): Promise<Connection | undefined> {
  const { address } = target;
  const where = address.startsWith("unix:") ? { path: address.slice("unix:".length) } : hostAndPort(address);
  try {
    return await openConnection({ where, tls, timeoutMs: connectTimeoutMs, ...told });
  } catch {
    // Who is told of services that are away is told after a while, and not at each try.
    return undefined;
  }
}

/** Asks now and then whether the peer is still there, and ends the connection when it is not. */
function pinged({ session }: Connection): Disposable {
  const timer = setInterval(() => {
    const late = setTimeout(() => session.end("nobody answers a ping"), pingTimeoutMs).unref();
    session.ping(() => clearTimeout(late));
  }, pingEveryMs).unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function authorityOf({ address }: Target): string {
  return address.startsWith("unix:") ? "localhost" : address;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
