import type { Socket } from "node:net";
import { performance } from "node:perf_hooks";
import { Outbox } from "./outbox.ts";
import { ServerSession } from "./serverSession.ts";
import type { ServerSessionOptions } from "./serverSession.ts";
import { writePieces } from "./writePieces.ts";

/** How a connection is served. */
export type ServeOptions = Pick<ServerSessionOptions, "streamsMax"> & {
  readonly onRequest: (
    session: ServerSession,
    ...request: Parameters<ServerSessionOptions["onRequest"]>
  ) => ReturnType<ServerSessionOptions["onRequest"]>;
  /** A client is asked after so long whether it is there, and gone when it does not answer in time; undefined: it is not asked. */
  readonly keepalive?: { readonly everyMs: number; readonly withinMs: number } | undefined;
  /** So long a client may go on not reading what it asked for. */
  readonly unreadMsMax?: number;
  /** The connection is over, and what was said last is out of our hands; why, for people. */
  readonly onOver: (message: string) => void;
};

/** A connection with few calls under way writes little at a time, and there may be a thousand of them. */
const slabBytes = 16 * 1024;
/** A client that does not read what it asked for is not read from beyond this. */
const unreadBytesMax = 1024 * 1024;
const unreadMsDefault = 30_000;
/** Preface and settings. */
const helloMsMax = 10_000;
const lastWordsMs = 1_000;
/** A client that doesn't answer may have calls on the way for so long. */
const drainMsMax = 1_000;

/** A client's connection. */
export type ServerConnection = {
  readonly session: ServerSession;
  /** Tells the client to go elsewhere, and closes once its calls have been answered. */
  drain(): void;
};

/** Speaks HTTP/2 on a connection of a client. */
export function serveConnection(socket: Socket, options: ServeOptions): ServerConnection {
  const outbox = new Outbox(
    (pieces) => writePieces(socket, pieces),
    () => session.resume(),
    slabBytes,
  );
  const timers: NodeJS.Timeout[] = [];
  let unread: NodeJS.Timeout | undefined;
  const unreadMsMax = options.unreadMsMax ?? unreadMsDefault;
  let isOver = false;
  const session: ServerSession = new ServerSession({
    outbox,
    unwrittenBytes: () => socket.writableLength,
    now: () => performance.now(),
    streamsMax: options.streamsMax,
    onRequest: (...request) => options.onRequest(session, ...request),
    onOver: (message) => {
      isOver = true;
      for (const timer of timers) clearTimeout(timer);
      clearTimeout(unread);
      // What was said last still goes out; what comes is read over, for a connection that is closed on unread bytes takes it back.
      socket.end(() => {
        setTimeout(() => socket.destroy(), lastWordsMs).unref();
        options.onOver(message);
      });
      socket.resume();
      // The last answers of one that was sent elsewhere may take their time.
      setTimeout(() => socket.destroy(), session.isDraining() ? unreadMsMax : lastWordsMs).unref();
    },
  });
  const hello = (): void => {
    if (!session.isReady()) session.end("the client never spoke HTTP/2");
  };
  timers.push(setTimeout(hello, helloMsMax).unref());
  if (options.keepalive !== undefined) timers.push(keepAlive(session, options.keepalive));
  socket.on("data", (chunk: Buffer) => {
    session.receive(chunk);
    if (isOver || unread !== undefined || outbox.pendingBytes + socket.writableLength <= unreadBytesMax) return;
    socket.pause();
    unread = setTimeout(() => session.end("the client does not read"), unreadMsMax);
  });
  socket.on("drain", () => {
    if (unread !== undefined) {
      clearTimeout(unread);
      unread = undefined;
      socket.resume();
    }
    session.resume();
  });
  for (const event of ["error", "end", "close"] as const) socket.on(event, () => session.end("the client is gone"));
  return {
    session,
    drain: () => {
      if (session.isDraining()) return;
      session.drain();
      timers.push(setTimeout(() => session.leave(), drainMsMax).unref());
    },
  };
}

/** Pings, and ends the session when nobody answers. */
function keepAlive(
  session: ServerSession,
  { everyMs, withinMs }: NonNullable<ServeOptions["keepalive"]>,
): NodeJS.Timeout {
  return setInterval(() => {
    const timer = setTimeout(() => session.end("the client does not answer a ping"), withinMs).unref();
    session.ping(() => clearTimeout(timer));
  }, everyMs).unref();
}
