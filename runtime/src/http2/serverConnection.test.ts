import { once } from "node:events";
import http2 from "node:http2";
import type { ClientHttp2Session } from "node:http2";
import net from "node:net";
import type { Socket } from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { openConnection } from "./clientConnection.ts";
import { preface } from "./frameWriter.ts";
import { serveConnection } from "./serverConnection.ts";
import type { ServeOptions, ServerConnection } from "./serverConnection.ts";
import { frame, framesIn, head, headInPieces, number, settings } from "./testing/frames.ts";
import { okHead, okTrailers, requestFields } from "./testing/openServerSession.ts";
import { contentBytes, Recorder } from "./testing/openSession.ts";
import { frameType, uint32At } from "./wire/frame.ts";
import { encodeFields } from "./wire/hpackEncoder.ts";
import { setting } from "./wire/settings.ts";

let open = new DisposableStack();

afterEach(() => {
  open.dispose();
  open = new DisposableStack();
});

interface Served {
  readonly port: number;
  readonly connections: ServerConnection[];
  readonly sockets: Socket[];
  readonly over: string[];
  readonly isOver: Promise<void>;
}

/** A server on loopback that says back what it is told, unless a test gives it other things to do. */
async function serve(rest: Partial<ServeOptions> = {}): Promise<Served> {
  const { promise: isOver, resolve } = Promise.withResolvers<void>();
  const over: string[] = [];
  const connections: ServerConnection[] = [];
  const sockets: Socket[] = [];
  const server = net.createServer((socket) => {
    sockets.push(socket);
    connections.push(
      serveConnection(socket, {
        streamsMax: 1_000,
        keepalive: { silentMs: 60_000, answerMs: 60_000 },
        onRequest: (session, stream) => {
          const pieces: Uint8Array[] = [];
          return {
            onContent: (piece) => pieces.push(new Uint8Array(piece)),
            onWhole: () => {
              session.sendHead(stream, okHead, false);
              session.sendContent(stream, new Uint8Array(), Buffer.concat(pieces));
              session.sendTrailers(stream, okTrailers);
            },
            onSent: () => undefined,
            onOver: () => undefined,
          };
        },
        onOver: (why) => {
          over.push(why);
          resolve();
        },
        ...rest,
      }),
    );
  });
  open.defer(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return { port, connections, sockets, over, isOver };
}

function connectTo(port: number, options: http2.ClientSessionOptions = {}): ClientHttp2Session {
  const session = http2.connect(`http://127.0.0.1:${port}`, options);
  session.on("error", () => undefined);
  open.defer(() => session.destroy());
  return session;
}

async function echoed(session: ClientHttp2Session, body: Uint8Array): Promise<Buffer> {
  const stream = session.request({ ":method": "POST", ":path": "/a.B/C" });
  const pieces: Buffer[] = [];
  stream.on("data", (piece: Buffer) => pieces.push(piece));
  stream.end(body);
  await once(stream, "close");
  expect(stream.rstCode).toBe(0);
  return Buffer.concat(pieces);
}

test("clients of node:http2 are answered, with windows of all sizes, one after the other and many at a time", async () => {
  const { port } = await serve();
  for (const initialWindowSize of [1, 1_000, 65_535, 10_000_000]) {
    const session = connectTo(port, { settings: { initialWindowSize } });
    const sizes = initialWindowSize === 1 ? [0, 1, 300] : [0, 1, 8_192, 300_000, 3_000_000];
    const bodies = sizes.map((size) => Buffer.alloc(size, "abc"));
    for (const body of bodies) expect((await echoed(session, body)).equals(body)).toBe(true);
    const all = await Promise.all(bodies.map((body) => echoed(session, body)));
    expect(all.map((body) => body.length)).toEqual(sizes);
  }
});

test("a client whose table is smaller, or has none, is understood", async () => {
  const { port } = await serve();
  for (const headerTableSize of [0, 100, 65_536]) {
    const session = connectTo(port, { settings: { headerTableSize } });
    await once(session, "remoteSettings");
    for (let count = 0; count < 20; count += 1)
      expect((await echoed(session, Buffer.from("hi"))).toString()).toBe("hi");
  }
});

test("our own client is answered, and goes elsewhere when the connection is drained", async () => {
  const { port, connections, over } = await serve();
  const isOver = Promise.withResolvers<void>();
  const { session } = await openConnection({
    where: { host: "127.0.0.1", port },
    tls: undefined,
    timeoutMs: 5_000,
    onRoom: () => undefined,
    onOver: () => isOver.resolve(),
  });
  const block = encodeFields(requestFields);
  const sink = new Recorder();
  const body = Buffer.alloc(6_000_000, "xyz");
  session.open({ head: block, headBytes: block.length, lead: Buffer.from("lead "), body }, sink);
  await expect.poll(() => sink.ends, { timeout: 5_000 }).toEqual([{ kind: "ended" }]);
  expect(sink.content.equals(Buffer.concat([Buffer.from("lead "), body]))).toBe(true);
  connections[0]?.drain();
  await isOver.promise;
  expect(session.isOpen()).toBe(false);
  await expect.poll(() => over).toHaveLength(1);
});

test("a client of node:http2 has its calls answered while the connection is drained, and then it is closed", async () => {
  const { port, connections, over } = await serve();
  const session = connectTo(port);
  await once(session, "remoteSettings");
  const stream = session.request({ ":method": "POST", ":path": "/a.B/C" });
  await expect.poll(() => connections[0]?.session.size).toBe(1);
  connections[0]?.drain();
  await once(session, "goaway");
  expect(over).toEqual([]);
  stream.end("last");
  const [piece] = await once(stream, "data");
  expect(String(piece)).toBe("last");
  await once(session, "close");
  expect(over).toEqual(["the last request was answered"]);
});

test("the last answer of a connection that was drained goes out, however late it is read", async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "sidestep-http2-"));
  open.defer(() => rmSync(folder, { recursive: true, force: true }));
  const at = path.join(folder, "a.sock");
  const over: string[] = [];
  let sentBytes = 0;
  const isAnswered = Promise.withResolvers<ServerConnection>();
  const server = net.createServer((socket) => {
    const connection = serveConnection(socket, {
      streamsMax: 10,
      keepalive: { silentMs: 60_000, answerMs: 60_000 },
      onRequest: (session, stream) => {
        session.sendHead(stream, okHead, false);
        const more = (): void => {
          // As much as the system takes, and some that it does not.
          if (socket.writableLength > 0) {
            session.sendTrailers(stream, okTrailers);
            return isAnswered.resolve(connection);
          }
          sentBytes += 8_000;
          session.sendContent(stream, new Uint8Array(), Buffer.alloc(8_000));
          setImmediate(more);
        };
        more();
        return {
          onContent: () => undefined,
          onWhole: () => undefined,
          onSent: () => undefined,
          onOver: () => undefined,
        };
      },
      onOver: (why) => over.push(why),
    });
  });
  open.defer(() => server.close());
  server.listen(at);
  await once(server, "listening");
  const client = net.connect({ path: at });
  open.defer(() => client.destroy());
  const windows = frame(frameType.WINDOW_UPDATE, 0, 0, number(0x7000_0000));
  client.write(Buffer.concat([preface, settings([setting.INITIAL_WINDOW_SIZE, 0x7fff_ffff]), windows]));
  client.write(head(1, requestFields, true));
  const connection = await isAnswered.promise;
  vi.useFakeTimers({ toFake: ["setTimeout"] });
  open.defer(() => vi.useRealTimers());
  connection.drain();
  connection.session.leave();
  vi.advanceTimersByTime(10_000);
  expect(over).toEqual([]);
  const pieces: Buffer[] = [];
  client.on("data", (piece: Buffer) => pieces.push(piece));
  await once(client, "end");
  expect(contentBytes(framesIn(Buffer.concat(pieces)))).toBe(sentBytes);
  expect(over).toEqual(["the last request was answered"]);
});

function rawClient(port: number, ...first: readonly Uint8Array[]): Socket {
  const socket = net.connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  open.defer(() => socket.destroy());
  socket.write(Buffer.concat([preface, settings([setting.INITIAL_WINDOW_SIZE, 0x7fff_ffff]), ...first]));
  return socket;
}

test("a client that asks and asks and never reads costs a bounded room, and is left", async () => {
  const large = encodeFields([
    [":status", "200"],
    ["x-large", "v".repeat(4_000)],
  ]);
  const { port, sockets, over, isOver } = await serve({
    unreadMsMax: 200,
    onRequest: (session, stream) => {
      session.sendHead(stream, large, true);
      return { onContent: () => undefined, onWhole: () => undefined, onSent: () => undefined, onOver: () => undefined };
    },
  });
  const client = rawClient(port);
  let id = 1;
  let held = 0;
  let isLeft = false;
  void isOver.then(() => (isLeft = true));
  const ask = (): void => {
    held = Math.max(held, ...sockets.map((socket) => socket.writableLength));
    if (isLeft || client.destroyed) return;
    const asks = Array.from({ length: 100 }, () => head((id += 2), requestFields, true));
    client.write(Buffer.concat(asks), () => setImmediate(ask));
  };
  ask();
  await isOver;
  expect(over).toEqual(["the client does not read"]);
  // What may wait, and what one more read asked for.
  expect(held).toBeGreaterThan(1024 * 1024);
  expect(held).toBeLessThan(8 * 1024 * 1024);
});

test("a client that does not answer pings is left, one that does is not", async () => {
  const keepalive = { silentMs: 20, answerMs: 100 };
  const { port, over, isOver } = await serve({ keepalive });
  rawClient(port).resume();
  await isOver;
  expect(over).toEqual(["the client does not answer a ping"]);
  const alive = await serve({ keepalive });
  const session = connectTo(alive.port);
  let pings = 0;
  session.on("ping", () => (pings += 1));
  await expect.poll(() => pings, { timeout: 5_000 }).toBeGreaterThan(20);
  expect(alive.over).toEqual([]);
});

test("a block of headers that does not become whole in time costs its connection, and is told", async () => {
  const { port, over, isOver } = await serve({ blockMsMax: 50 });
  const begun = frame(frameType.HEADERS, 1, 3, encodeFields(requestFields));
  const client = rawClient(port, headInPieces(1, [...requestFields, ["x-large", "v".repeat(20_000)]]), begun);
  const pieces: Buffer[] = [];
  client.on("data", (piece: Buffer) => pieces.push(piece));
  client.write(frame(frameType.CONTINUATION, 0, 3));
  await isOver;
  expect(over).toEqual(["the client broke HTTP/2: a block of headers does not end"]);
  await once(client, "end");
  const last = framesIn(Buffer.concat(pieces)).at(-1);
  expect([last?.type, uint32At(last?.content ?? Buffer.alloc(8), 4)]).toEqual([frameType.GOAWAY, 11]);
});

test("a client that breaks a rule hears why before the connection is closed, although it goes on talking", async () => {
  const { port, isOver } = await serve();
  const client = rawClient(port, ...Array.from({ length: 20_000 }, () => settings()));
  const pieces: Buffer[] = [];
  client.on("data", (piece: Buffer) => pieces.push(piece));
  await isOver;
  client.write(Buffer.alloc(1_000_000));
  await once(client, "end");
  const last = framesIn(Buffer.concat(pieces)).at(-1);
  expect([last?.type, uint32At(last?.content ?? Buffer.alloc(8), 4)]).toEqual([frameType.GOAWAY, 11]);
});

test("what is open when a client vanishes is told that it is over", async () => {
  const told = Promise.withResolvers<void>();
  const { port, over } = await serve({
    onRequest: () => ({
      onContent: () => undefined,
      onWhole: () => client.destroy(),
      onSent: () => undefined,
      onOver: () => told.resolve(),
    }),
  });
  const client = rawClient(port, head(1, requestFields, true));
  await told.promise;
  await expect.poll(() => over).toEqual(["the client is gone"]);
});
