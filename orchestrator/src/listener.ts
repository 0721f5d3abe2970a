import { readFileSync, statSync } from "node:fs";
import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { createServer as createTlsServer } from "node:tls";
import type { SecureContextOptions, Server as TlsServer } from "node:tls";
import { errorText } from "../../runtime/src/log.ts";
import type { Log } from "../../runtime/src/log.ts";

/** Who goes on with a connection, by what its first bytes are. */
export interface Doors {
  /** HTTP/2: gRPC. */
  readonly http2: (connection: Socket) => void;
  readonly http1: (connection: Duplex) => void;
}

/** Files of PEM. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  /** Set: clients must show a certificate that this one signed. */
  readonly clientCa: string | undefined;
}

export interface ListenerOptions {
  /** "host:port"; port 0 lets the system choose. */
  readonly address: string;
  /** A client that says nothing by then is no client. */
  readonly firstBytesMs: number;
  /** Undefined: connections are plain. */
  readonly tls: TlsFiles | undefined;
  readonly log: Log;
}

/** A listening port with two doors behind it. */
export interface Listener extends AsyncDisposable {
  readonly port: number;
  /** Accepts nothing new. */
  close(): void;
}

/** As HTTP/2 begins (RFC 9113, section 3.4); no method of HTTP/1 does. */
const preface = Buffer.from("PRI");
/** A peer whose host is gone says so no more: the system asks it after so long, and gives it up some seconds later. Who waits for a run may do so for days. */
const keepAlive = { keepAlive: true, keepAliveInitialDelay: 30_000 } as const;
/** New certificates count within this time. */
const lookAgainMs = 10_000;

/** Listens, and hands each connection on once its first bytes are there. Throws when the address or the certificates can't be had. */
export async function listenFor(doors: Doors, options: ListenerOptions): Promise<Listener> {
  const { address, firstBytesMs, tls } = options;
  const waiting = new Set<Socket>();
  const accept = (socket: Socket): void => {
    waiting.add(socket);
    const leave = (): void => void socket.destroy();
    socket.setTimeout(firstBytesMs, leave);
    socket.once("close", () => waiting.delete(socket));
    socket.on("error", leave);
    let first = Buffer.alloc(0);
    const look = (): void => {
      const got: unknown = socket.read();
      if (Buffer.isBuffer(got)) first = Buffer.concat([first, got]);
      // Not enough yet to tell.
      if (first.length < preface.length && preface.indexOf(first) === 0) return void socket.once("readable", look);
      socket.unshift(first);
      waiting.delete(socket);
      socket.setTimeout(0);
      socket.off("timeout", leave);
      socket.off("error", leave);
      if (first.subarray(0, preface.length).equals(preface)) doors.http2(socket);
      else doors.http1(socket);
    };
    socket.once("readable", look);
  };
  using stack = new DisposableStack();
  const server =
    tls === undefined ? createServer({ noDelay: true, ...keepAlive }, accept) : openTls(tls, accept, options, stack);
  const port = await listen(server, address);
  const closing = stack.move();
  return {
    port,
    close: () => void server.close(),
    [Symbol.asyncDispose]: () => {
      closing.dispose();
      for (const socket of waiting) socket.destroy();
      server.close();
      return Promise.resolve();
    },
  };
}

/** Speaks TLS, and takes new certificates up when their files change. */
function openTls(
  files: TlsFiles,
  accept: (socket: Socket) => void,
  { firstBytesMs, log }: ListenerOptions,
  closing: DisposableStack,
): TlsServer {
  const secure = { minVersion: "TLSv1.2" } as const;
  const server = createTlsServer(
    {
      ...secure,
      ...readFiles(files),
      ALPNProtocols: ["h2", "http/1.1"],
      handshakeTimeout: firstBytesMs,
      requestCert: files.clientCa !== undefined,
      rejectUnauthorized: files.clientCa !== undefined,
      noDelay: true,
      ...keepAlive,
    },
    accept,
  );
  server.on("tlsClientError", (error) => log.debug("a TLS handshake failed", { error: error.message }));
  let stamp = stampOf(files);
  const timer = setInterval(() => {
    try {
      const found = stampOf(files);
      if (found === stamp) return;
      server.setSecureContext({ ...secure, ...readFiles(files) });
      stamp = found;
      log.info("the certificates were read again", { cert: files.cert });
    } catch (error) {
      log.error("the certificates can't be used; those of before hold", { error: errorText(error) });
    }
  }, lookAgainMs);
  timer.unref();
  closing.defer(() => clearInterval(timer));
  return server;
}

function readFiles({ cert, key, clientCa }: TlsFiles): SecureContextOptions {
  const read = (flag: string, file: string): Buffer => {
    try {
      return readFileSync(file);
    } catch (error) {
      throw new Error(`--${flag} names a file that can't be read: ${errorText(error)}`, { cause: error });
    }
  };
  const ca = clientCa === undefined ? {} : { ca: read("tls-client-ca", clientCa) };
  return { cert: read("tls-cert", cert), key: read("tls-key", key), ...ca };
}

function stampOf({ cert, key, clientCa }: TlsFiles): string {
  const files = clientCa === undefined ? [cert, key] : [cert, key, clientCa];
  return files
    .map((file) => statSync(file))
    .map(({ mtimeMs, size, ino }) => `${mtimeMs} ${size} ${ino}`)
    .join();
}

function listen(server: Server, address: string): Promise<number> {
  const [, host = "", port = ""] = /^\[?(.*?)\]?:(\d+)$/.exec(address) ?? [];
  return new Promise((resolve, reject) => {
    server.once("error", (error) =>
      reject(new Error(`the front door can't listen on ${address}: ${error.message}`, { cause: error })),
    );
    server.listen({ host, port: Number(port), backlog: 1024 }, () => {
      // A connection that can't be accepted, for no descriptor is left, is its client's to try again: it must not end what goes on.
      server.on("error", () => undefined);
      const bound = server.address();
      resolve(typeof bound === "object" && bound !== null ? bound.port : 0);
    });
  });
}
