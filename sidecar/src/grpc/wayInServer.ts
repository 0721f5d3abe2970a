import { lstatSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { ListenOptions, Server, Socket } from "node:net";
import { code } from "../../../proto/wire/status.ts";
import { Deadlines } from "../../../runtime/src/deadlines.ts";
import { Unpacker } from "../../../runtime/src/grpc/unpacker.ts";
import { serveConnection } from "../../../runtime/src/http2/serverConnection.ts";
import type { ServeOptions, ServerConnection } from "../../../runtime/src/http2/serverConnection.ts";
import type { IncomingRequest } from "../../../runtime/src/http2/serverStream.ts";
import type { Log } from "../../../runtime/src/log.ts";
import { failedEnd } from "../core/callEnd.ts";
import type { CallEnd } from "../core/callEnd.ts";
import type { CarryCall } from "../wayIn.ts";
import { hostAndPort } from "./target.ts";
import type { Target } from "./target.ts";
import { refuseCall, refuseForeign, WayInCall } from "./wayInCall.ts";
import type { CallGround } from "./wayInCall.ts";
import { parseCallHead } from "./wayInHead.ts";
import type { CallHead } from "./wayInHead.ts";

export interface WayInOptions {
  readonly at: Target;
  /** Largest request. */
  readonly requestBytesMax: number;
  readonly carry: CarryCall;
  /** What health says: calls can be carried out. */
  readonly isServing: () => boolean;
  readonly log: Log;
  readonly bounds?: Partial<WayInBounds>;
}

/** What is taken at a time; a service that wants more is told so, and its sidecar goes on. */
export interface WayInBounds {
  readonly connectionsMax: number;
  /** Over all connections. */
  readonly callsMax: number;
  /** Bytes of the requests of all calls that are there. */
  readonly heldBytesMax: number;
  /** Bytes of the answers of all calls that wait for their callers to read. */
  readonly unreadBytesMax: number;
  /** A request is whole so long after its headers. */
  readonly requestWithinMs: number;
}

const defaultBounds: WayInBounds = {
  connectionsMax: 1_000,
  callsMax: 10_000,
  heldBytesMax: 64 * 1024 * 1024,
  unreadBytesMax: 256 * 1024 * 1024,
  requestWithinMs: 30_000,
};
/** More connections than there may be are told so one by one, so many at a time. */
const surplusMax = 100;
/** One that says nothing is not waited for. */
const surplusWithinMs = 5_000;
/** Of one connection. */
const streamsMax = 1_000;
/** One whose host is gone is noticed in three minutes; one that stands at a breakpoint has two. */
const keepalive = { silentMs: 60_000, answerMs: 60_000 };

/** Where the service beside us calls others, as if they were here. */
export interface WayIn extends AsyncDisposable {
  /**
   * Takes no new calls, and resolves when those under way, or on their way here, have been answered and their clients are gone, at the latest after
   * so many ms.
   */
  drain(boundMs: number): Promise<void>;
}

/** Listens. Throws when the address can't be had. */
export async function openWayIn(options: WayInOptions): Promise<WayIn> {
  const bounds = { ...defaultBounds, ...options.bounds };
  const connections = new Set<ServerConnection>();
  const deadlines = new Deadlines();
  let calls = 0;
  let isEmpty = (): void => undefined;
  const look = (): void => {
    if (calls === 0 && connections.size === 0) isEmpty();
  };
  const onOver = (): void => {
    calls--;
    look();
  };
  const ground = groundOf(options, bounds, { deadlines, onOver });
  const headOf = rememberedHead();
  const take: ServeOptions["onRequest"] = (session, stream, request) => {
    calls++;
    if (calls > bounds.callsMax) return refuseCall(session, stream, full("calls", bounds.callsMax), onOver);
    const head = headOf(request);
    switch (head.kind) {
      case "call":
        return new WayInCall(ground, session, stream, head);
      case "refused":
        return refuseCall(session, stream, head.end, onOver);
      case "foreign":
        return refuseForeign(session, stream, onOver);
    }
  };
  const accept = (socket: Socket): void => {
    const isSurplus = connections.size >= bounds.connectionsMax;
    const refuse: ServeOptions["onRequest"] = (session, stream) => {
      calls++;
      connection.drain();
      return refuseCall(session, stream, full("connections", bounds.connectionsMax), onOver);
    };
    const connection = serveConnection(socket, {
      streamsMax,
      keepalive,
      onRequest: isSurplus ? refuse : take,
      onOver: (why) => {
        connections.delete(connection);
        look();
        options.log.debug("a connection of the service is over", { why });
      },
    });
    connections.add(connection);
    if (isSurplus) setTimeout(() => socket.destroy(), surplusWithinMs).unref();
  };
  const server = createServer({ noDelay: true }, accept);
  server.maxConnections = bounds.connectionsMax + surplusMax;
  await listen(server, options.at);
  return {
    drain: async (boundMs) => {
      server.close();
      const { promise, resolve } = Promise.withResolvers<void>();
      isEmpty = resolve;
      for (const connection of connections) connection.drain();
      look();
      const timer = setTimeout(resolve, boundMs);
      await promise;
      clearTimeout(timer);
    },
    [Symbol.asyncDispose]: () => {
      server.close();
      for (const { session } of connections) session.end("the sidecar stops");
      deadlines[Symbol.dispose]();
      return Promise.resolve();
    },
  };
}

function groundOf(
  options: WayInOptions,
  bounds: WayInBounds,
  shared: Pick<CallGround, "deadlines" | "onOver">,
): CallGround {
  return {
    ...options,
    ...bounds,
    ...shared,
    held: { bytes: 0 },
    room: { bytes: 0, bytesMax: bounds.unreadBytesMax, where: "at this sidecar (--listen)" },
    unpacker: new Unpacker(options.requestBytesMax),
  };
}

function full(what: string, max: number): CallEnd {
  return failedEnd(
    code.RESOURCE_EXHAUSTED,
    `${max} ${what} are open at this sidecar (--listen), and no more are taken`,
  );
}

/** The same headers come call after call, and are the same object then: they are read once. */
function rememberedHead(): (request: IncomingRequest) => CallHead {
  let last: IncomingRequest | undefined;
  let head: CallHead | undefined;
  return (request) => {
    if (request !== last || head === undefined) head = parseCallHead(request);
    last = request;
    return head;
  };
}

async function listen(server: Server, { address }: Target): Promise<void> {
  if (!address.startsWith("unix:")) return listenAt(server, hostAndPort(address));
  const path = address.slice("unix:".length);
  // Left by one that was killed: nobody answers there. What is no socket is somebody's file.
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true && !(await isAnswered(path))) rmSync(path);
  return listenAt(server, { path });
}

function listenAt(server: Server, where: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(where, () => {
      server.off("error", reject);
      // A connection that can't be accepted, for no descriptor is left, is its client's to try again.
      server.on("error", () => undefined);
      resolve();
    });
  });
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code !== "ECONNREFUSED"));
  });
}
