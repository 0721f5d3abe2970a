import net from "node:net";
import type { Socket } from "node:net";
import { performance } from "node:perf_hooks";
import tls from "node:tls";
import { ClientSession } from "./clientSession.ts";
import { Outbox } from "./outbox.ts";
import { writePieces } from "./writePieces.ts";

/** Where to connect to, and how. */
export type ConnectionOptions = {
  readonly where: { readonly path: string } | { readonly host: string; readonly port: number };
  readonly tls:
    | { readonly ca: Buffer | undefined; readonly cert: Buffer | undefined; readonly key: Buffer | undefined }
    | undefined;
  /** How long a server may take to speak HTTP/2. */
  readonly timeoutMs: number;
  /** There may be room for a request. */
  readonly onRoom: () => void;
  /** The connection is over. */
  readonly onOver: () => void;
};

const chunkBytesMax = 64 * 1024;
const lastWordsMs = 1_000;

/** A connection on which requests can be made. */
export type Connection = {
  readonly session: ClientSession;
  /** "127.0.0.1:50051"; undefined for a unix socket. */
  readonly peer: string | undefined;
};

/**
 * Connects and waits until the server has sent its settings: before that nobody knows whether it speaks HTTP/2. Rejects with the reason
 * when it does not.
 */
export function openConnection(options: ConnectionOptions): Promise<Connection> {
  const { promise, resolve, reject } = Promise.withResolvers<Connection>();
  const socket = dial(options, (chunk) => session.receive(chunk));
  const outbox = new Outbox(
    (pieces) => writePieces(socket, pieces),
    () => session.resume(),
  );
  const timer = setTimeout(
    () => session.end(`no HTTP/2 server answered within ${options.timeoutMs} ms`),
    options.timeoutMs,
  );
  const session = new ClientSession({
    outbox,
    unwrittenBytes: () => socket.writableLength,
    now: () => performance.now(),
    onReady: () => {
      clearTimeout(timer);
      resolve({ session, peer: peerOf(socket) });
    },
    onRoom: options.onRoom,
    onOver: (message) => {
      clearTimeout(timer);
      // What was said last still goes out, unless nobody takes it.
      socket.destroySoon();
      setTimeout(() => socket.destroy(), lastWordsMs).unref();
      reject(new Error(message));
      options.onOver();
    },
  });
  socket.resume();
  socket.on("drain", () => session.resume());
  socket.on("error", (error) => {
    reject(error);
    session.end("the connection was lost");
  });
  socket.on("end", () => session.end("the connection was lost"));
  socket.on("close", () => session.end("the connection was lost"));
  return promise;
}

/** `onChunk`: what came lies in memory that the next chunk is read into. */
function dial({ where, tls: secrets }: ConnectionOptions, onChunk: (chunk: Uint8Array) => void): Socket {
  const onread = {
    buffer: Buffer.allocUnsafeSlow(chunkBytesMax),
    callback: (bytes: number, buffer: Uint8Array): boolean => {
      onChunk(buffer.subarray(0, bytes));
      return true;
    },
  };
  const about = { ...where, noDelay: true, keepAlive: true, onread };
  if (secrets === undefined) return net.connect(about);
  const host = "host" in where ? where.host : "localhost";
  return tls.connect({
    ...about,
    ...(net.isIP(host) === 0 ? { servername: host } : {}),
    ...(secrets.ca === undefined ? {} : { ca: secrets.ca }),
    ...(secrets.cert === undefined ? {} : { cert: secrets.cert }),
    ...(secrets.key === undefined ? {} : { key: secrets.key }),
    ALPNProtocols: ["h2"],
  });
}

function peerOf({ remoteAddress, remotePort }: Socket): string | undefined {
  if (remoteAddress === undefined || remotePort === undefined) return undefined;
  return net.isIPv6(remoteAddress) ? `[${remoteAddress}]:${remotePort}` : `${remoteAddress}:${remotePort}`;
}
