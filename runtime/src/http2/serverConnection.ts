import type { Socket } from "node:net";
import { performance } from "node:perf_hooks";
import { boundBlocks } from "./blockTime.ts";
import { Outbox } from "./outbox.ts";
import { ServerSession } from "./serverSession.ts";
import type { ServerSessionOptions } from "./serverSession.ts";
import { watchSilence } from "./silence.ts";
import type { Keepalive } from "./silence.ts";
import { errorCode, Http2Error } from "./wire/frame.ts";
import { writePieces } from "./writePieces.ts";

/** How a connection is served. */
export type ServeOptions = Pick<ServerSessionOptions, "streamsMax"> & {
  readonly onRequest: (
    session: ServerSession,
    ...request: Parameters<ServerSessionOptions["onRequest"]>
  ) => ReturnType<ServerSessionOptions["onRequest"]>;
  readonly keepalive: Keepalive;
  /** So long a client may go on not reading what it asked for. */
  readonly unreadMsMax?: number;
  /** A block of headers is whole so long after it began. */
  readonly blockMsMax?: number;
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
/** A block of headers comes in one go: who needs longer holds up memory. */
const blockMsDefault = 10_000;
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
  const silence = watchSilence(
    options.keepalive,
    () => session.ping(() => undefined),
    () => {
      // One that is not read from can't answer; how long that may take is bounded.
      if (unread === undefined) session.end("the client does not answer a ping");
    },
  );
  const blocks = boundBlocks(options.blockMsMax ?? blockMsDefault, () =>
    session.endFor(new Http2Error(errorCode.ENHANCE_YOUR_CALM, "a block of headers does not end")),
  );
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
      silence.stop();
      blocks.stop();
      // The last answers of one that was sent elsewhere may take their time.
      closeSocket(socket, session.isDraining() ? unreadMsMax : lastWordsMs, () => options.onOver(message));
    },
  });
  const hello = (): void => {
    if (!session.isReady()) session.end("the client never spoke HTTP/2");
  };
  timers.push(setTimeout(hello, helloMsMax).unref());
  socket.on("data", (chunk: Buffer) => {
    silence.break();
    session.receive(chunk);
    if (isOver) return;
    blocks.look(session.openBlock);
    if (unread !== undefined || outbox.pendingBytes + socket.writableLength <= unreadBytesMax) return;
    socket.pause();
    unread = setTimeout(() => session.end("the client does not read"), unreadMsMax);
  });
  socket.on("drain", () => {
    silence.break();
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

/** What was said last still goes out; what comes is read over, for a connection that is closed on unread bytes takes it back. */
function closeSocket(socket: Socket, withinMs: number, onClosed: () => void): void {
  socket.end(() => {
    setTimeout(() => socket.destroy(), lastWordsMs).unref();
    onClosed();
  });
  socket.resume();
  setTimeout(() => socket.destroy(), withinMs).unref();
}
