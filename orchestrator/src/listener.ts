import { createServer } from "node:net";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";

/** Who goes on with a connection, by what its first bytes are. */
export interface Doors {
  /** HTTP/2: gRPC. */
  readonly http2: (connection: Duplex) => void;
  readonly http1: (connection: Duplex) => void;
}

/** A listening port with two doors behind it. */
export interface Listener extends AsyncDisposable {
  readonly port: number;
  /** Accepts nothing new. */
  close(): void;
}

/** As HTTP/2 begins (RFC 9113, section 3.4); no method of HTTP/1 does. */
const preface = Buffer.from("PRI");

/** Listens at "host:port", and hands each connection on once its first bytes are there, which may take `firstBytesMs`. Throws when the address can't be had. */
export async function listenFor(doors: Doors, address: string, firstBytesMs: number): Promise<Listener> {
  const waiting = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
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
  });
  const port = await listen(server, address);
  return {
    port,
    close: () => void server.close(),
    [Symbol.asyncDispose]: () => {
      for (const socket of waiting) socket.destroy();
      server.close();
      return Promise.resolve();
    },
  };
}

function listen(server: ReturnType<typeof createServer>, address: string): Promise<number> {
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
