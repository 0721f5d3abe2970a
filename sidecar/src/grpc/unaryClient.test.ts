import { randomBytes } from "node:crypto";
import http2 from "node:http2";
import type { ServerHttp2Stream } from "node:http2";
import net from "node:net";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { freePort } from "../../../test/support/freePort.ts";
import type { Ending } from "../core/ending.ts";
import { wasNeverSent } from "../core/ending.ts";
import type { CallRequest } from "../ports.ts";
import { callClients } from "./callClient.ts";
import type { CallClient, CallClientName } from "./callClient.ts";
import { messageBytesMax } from "./callClient.ts";
import { openChannel } from "./channel.ts";
import { GrpcJsClient } from "./grpcJsClient.ts";
import { UnaryClient } from "./unaryClient.ts";

const { NGHTTP2_REFUSED_STREAM, NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR, NGHTTP2_ENHANCE_YOUR_CALM } = http2.constants;
const ok = { ":status": 200, "content-type": "application/grpc" };
const open: Disposable[] = [];

afterEach(() => {
  for (const one of open.splice(0)) one[Symbol.dispose]();
});

function clientOf(port: number, probeTimeoutMs?: number): UnaryClient {
  const text = `127.0.0.1:${port}`;
  const client = new UnaryClient({ text, address: text }, undefined, probeTimeoutMs);
  open.push(client);
  return client;
}

/** A client by the name of the setting. */
function openClient(name: CallClientName, port: number): CallClient {
  if (name === "own") return clientOf(port);
  const text = `127.0.0.1:${port}`;
  const channel = openChannel({ text, address: text }, undefined, () => undefined);
  open.push(channel);
  return new GrpcJsClient(channel);
}

/** A server that does with each stream what a test wants. */
async function serve(onStream: (stream: ServerHttp2Stream) => void): Promise<number> {
  const server = http2.createServer();
  server.on("stream", (stream) => {
    stream.on("error", () => undefined);
    onStream(stream);
  });
  server.on("session", (session) => open.push({ [Symbol.dispose]: () => session.destroy() }));
  open.push({ [Symbol.dispose]: () => void server.close() });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return portOf(server.address());
}

function portOf(address: AddressInfo | string | null): number {
  return typeof address === "object" && address !== null ? address.port : 0;
}

function call(client: CallClient, rest: Partial<CallRequest> = {}) {
  return client.call({
    service: "a.B",
    method: "a.B/C",
    body: new Uint8Array([1]),
    headers: [],
    timeoutMs: 5_000,
    stream: undefined,
    ...rest,
  });
}

function failed(ending: Ending) {
  if (ending.kind === "answered") throw new Error("it was answered");
  const { code, origin, sent } = ending;
  return { code, origin, sent };
}

describe.each(callClients)("calls by %s", (name) => {
  test("a refused connection sent nothing", async () => {
    const client = openClient(name, await freePort());
    const ending = await call(client).ending;
    expect(failed(ending)).toEqual({ code: 14, origin: "transport", sent: false });
    expect(wasNeverSent(ending)).toBe(true);
    expect(ending.peer).toMatch(/^127\.0\.0\.1:\d+$/);
  });

  test("a deadline that passes while still connecting sent nothing", async () => {
    const server = net.createServer((socket) => open.push({ [Symbol.dispose]: () => socket.destroy() }));
    open.push({ [Symbol.dispose]: () => void server.close() });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const client = openClient(name, portOf(server.address()));
    const ending = await call(client, { timeoutMs: 50 }).ending;
    expect(failed(ending)).toEqual({ code: 4, origin: "transport", sent: false });
    expect(wasNeverSent(ending)).toBe(true);
  });

  test("a reset before the connection stands sent nothing, and is no reason to give the task back", async () => {
    const client = openClient(name, await freePort());
    const begun = call(client);
    begun.reset();
    const ending = await begun.ending;
    expect(failed(ending)).toEqual({ code: 1, origin: "transport", sent: false });
    expect(wasNeverSent(ending)).toBe(false);
  });

  test("a stream that the server refuses was not looked at", async () => {
    const client = openClient(name, await serve((stream) => stream.close(NGHTTP2_REFUSED_STREAM)));
    const ending = await call(client).ending;
    expect(failed(ending)).toEqual({ code: 14, origin: "transport", sent: false });
  });

  test.each([
    ["a cancel", (stream: ServerHttp2Stream) => stream.close(NGHTTP2_CANCEL)],
    ["an internal error", (stream: ServerHttp2Stream) => stream.close(NGHTTP2_INTERNAL_ERROR)],
    ["exhaustion", (stream: ServerHttp2Stream) => stream.close(NGHTTP2_ENHANCE_YOUR_CALM)],
    ["a loss", (stream: ServerHttp2Stream) => stream.session?.destroy()],
    ["an end without trailers", (stream: ServerHttp2Stream) => stream.end()],
  ])("%s of the connection is the transport's after sending, with and without headers before", async (_, end) => {
    const client = openClient(name, await serve(end));
    const early = await call(client, { timeoutMs: 500 }).ending;
    expect(failed(early)).toMatchObject({ origin: "transport", sent: true });
    const other = openClient(
      name,
      await serve((stream) => {
        stream.respond(ok);
        stream.write(Buffer.alloc(0), () => setImmediate(() => end(stream)));
      }),
    );
    expect(failed(await call(other).ending)).toMatchObject({ origin: "transport", sent: true });
  });

  test("a status in trailers is the service's, after headers and alone", async () => {
    const client = openClient(
      name,
      await serve((stream) =>
        stream.respond({ ...ok, "grpc-status": "5", "grpc-message": "gone" }, { endStream: true }),
      ),
    );
    expect(failed(await call(client).ending)).toEqual({ code: 5, origin: "service", sent: true });
    const other = openClient(
      name,
      await serve((stream) => {
        stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "9" }));
        stream.respond(ok, { waitForTrailers: true });
        stream.end();
      }),
    );
    expect(failed(await call(other).ending)).toEqual({ code: 9, origin: "service", sent: true });
  });

  test("what can never be sent fails at once", async () => {
    const client = openClient(name, await serve((stream) => stream.respond(ok)));
    const large = await call(client, { body: new Uint8Array(messageBytesMax + 1) }).ending;
    expect(failed(large)).toEqual({ code: 8, origin: "transport", sent: false });
    const malformed = await call(client, { headers: [{ key: "bad key", value: new Uint8Array([1]) }] }).ending;
    expect(failed(malformed)).toEqual({ code: 13, origin: "transport", sent: false });
  });

  test("a view into a larger buffer is sent without its surroundings", async () => {
    const bodies: Buffer[] = [];
    const client = openClient(
      name,
      await serve((stream) => {
        stream.on("data", (bytes: Buffer) => bodies.push(bytes));
        stream.on("end", () => {
          stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
          stream.respond(ok, { waitForTrailers: true });
          stream.end(Buffer.from([0, 0, 0, 0, 1, 7]));
        });
      }),
    );
    const ending = await call(client, { body: new Uint8Array([9, 1, 2, 3, 9]).subarray(1, 4) }).ending;
    expect(ending.kind === "answered" && [...ending.response]).toEqual([7]);
    expect(Array.from(Buffer.concat(bodies))).toEqual([0, 0, 0, 0, 3, 1, 2, 3]);
  });
});

/** Answers each call with the same bytes. */
function echo(stream: ServerHttp2Stream): void {
  const chunks: Buffer[] = [];
  stream.on("data", (bytes: Buffer) => chunks.push(bytes));
  stream.on("end", () => {
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.respond(ok, { waitForTrailers: true });
    stream.end(Buffer.concat(chunks));
  });
}

test.each([0, 1, 65_536, 65_537, messageBytesMax])("%i bytes go there and back", async (size) => {
  const body = randomBytes(size);
  const ending = await call(clientOf(await serve(echo)), { body, timeoutMs: 25_000 }).ending;
  expect(ending.kind === "answered" && Buffer.compare(ending.response, body)).toBe(0);
});

test("calls at the same time share one connection, and a lost one is made anew", async () => {
  const sessions = new Set<object | undefined>();
  let isFirst = true;
  const client = clientOf(
    await serve((stream) => {
      sessions.add(stream.session);
      if (!isFirst) return echo(stream);
      isFirst = false;
      stream.session?.destroy();
    }),
  );
  expect(failed(await call(client).ending)).toEqual({ code: 14, origin: "transport", sent: true });
  const endings = await Promise.all(Array.from({ length: 50 }, () => call(client).ending));
  expect(endings.every((ending) => ending.kind === "answered")).toBe(true);
  expect(sessions.size).toBe(2);
});

test("a server that goes away gracefully answers what it has, and later calls go to a new connection", async () => {
  const sessions: unknown[] = [];
  const client = clientOf(
    await serve((stream) => {
      sessions.push(stream.session);
      if (sessions.length === 1) stream.session?.goaway(0);
      echo(stream);
    }),
  );
  expect((await call(client).ending).kind).toBe("answered");
  expect((await call(client).ending).kind).toBe("answered");
  expect(sessions[1]).not.toBe(sessions[0]);
});

test("a peer that vanished without a word is found out after a deadline", async () => {
  // Between client and server stands a relay that can fall silent.
  const served = await serve(echo);
  let isSilent = false;
  const relay = net.createServer((socket) => {
    const onward = net.connect(served, "127.0.0.1");
    socket.on("data", (bytes) => void (isSilent || onward.write(bytes)));
    onward.on("data", (bytes) => void (isSilent || socket.write(bytes)));
    for (const [one, other] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      one.on("error", () => undefined);
      one.on("close", () => other.destroy());
    }
    open.push({ [Symbol.dispose]: () => socket.destroy() });
  });
  open.push({ [Symbol.dispose]: () => void relay.close() });
  await new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", resolve));
  const client = clientOf(portOf(relay.address()), 50);
  expect((await call(client).ending).kind).toBe("answered");
  isSilent = true;
  const forever = call(client, { timeoutMs: 0 });
  expect(failed(await call(client, { timeoutMs: 100 }).ending)).toMatchObject({ code: 4, sent: true });
  expect(failed(await forever.ending)).toEqual({ code: 14, origin: "transport", sent: true });
});

test.each<[string, number, (stream: ServerHttp2Stream) => void]>([
  ["two messages", 13, (stream) => answer(stream, [0, 0, 0, 0, 1, 7, 0, 0, 0, 0, 1, 8])],
  ["half a message", 13, (stream) => answer(stream, [0, 0, 0, 0, 9, 7])],
  ["no message", 13, (stream) => answer(stream, [])],
  ["a compressed message", 13, (stream) => answer(stream, [1, 0, 0, 0, 1, 7])],
  ["a message that announces too much", 8, (stream) => answer(stream, [0, 255, 255, 255, 255])],
])("%s in answer is the transport's", async (_, code, onStream) => {
  expect(failed(await call(clientOf(await serve(onStream))).ending)).toEqual({ code, origin: "transport", sent: true });
});

function answer(stream: ServerHttp2Stream, bytes: readonly number[]): void {
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.respond(ok, { waitForTrailers: true });
  stream.end(Buffer.from(bytes));
}

test("something that is no gRPC server is told by its HTTP status", async () => {
  const client = clientOf(
    await serve((stream) => {
      stream.respond({ ":status": 404, "content-type": "text/html" });
      stream.end("<html>not here</html>");
    }),
  );
  const ending = await call(client).ending;
  expect(ending).toMatchObject({
    kind: "failed",
    code: 12,
    message: "HTTP status 404 instead of a gRPC answer",
    sent: true,
  });
});

/** Messages as a server frames them. */
function framed(messages: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    messages.map((message) => {
      const prefix = Buffer.alloc(5);
      prefix.writeUInt32BE(message.length, 1);
      return Buffer.concat([prefix, message]);
    }),
  );
}

/** Sends the bytes in pieces of a size, then OK. */
function answerInPieces(bytes: Buffer, size: number): (stream: ServerHttp2Stream) => void {
  return (stream) => {
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.respond(ok, { waitForTrailers: true });
    for (let at = 0; at < bytes.length; at += size) stream.write(bytes.subarray(at, at + size));
    stream.end();
  };
}

const caps = { messagesMax: 3, bytesMax: 1_000_000 };

test.each([1, 3, 7, 1_000_000])(
  "a stream of messages that comes in pieces of %i is one list, undecoded",
  async (size) => {
    const messages = [new Uint8Array(), Uint8Array.of(1, 2, 3), randomBytes(300)];
    const client = clientOf(await serve(answerInPieces(framed(messages), size)));
    const ending = await call(client, { stream: caps }).ending;
    const expected = Buffer.concat([
      Buffer.from([0x0a, 0, 0x0a, 3, 1, 2, 3, 0x0a, 0xac, 0x02]),
      messages[2] ?? new Uint8Array(),
    ]);
    expect(ending.kind === "answered" && Buffer.compare(ending.response, expected)).toBe(0);
  },
);

test("an empty stream is the empty list", async () => {
  const ending = await call(clientOf(await serve(answerInPieces(Buffer.alloc(0), 1))), { stream: caps }).ending;
  expect(ending.kind === "answered" && ending.response.length).toBe(0);
});

test("a stream at its caps is taken, one message or byte more is refused by the client and the stream is reset", async () => {
  const three = framed([Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3)]);
  const client = clientOf(await serve(answerInPieces(three, 100)));
  const atCaps = await call(client, { stream: { messagesMax: 3, bytesMax: 3 } }).ending;
  const oneMore = await call(client, { stream: { messagesMax: 2, bytesMax: 3 } }).ending;
  const tooMuch = await call(client, { stream: { messagesMax: 3, bytesMax: 2 } }).ending;
  expect(atCaps.kind).toBe("answered");
  expect(failed(oneMore)).toEqual({ code: 8, origin: "transport", sent: true });
  expect(failed(tooMuch)).toEqual({ code: 8, origin: "transport", sent: true });
});

test("a stream that ends within a message is broken", async () => {
  const bytes = framed([Uint8Array.of(1, 2, 3)]).subarray(0, 7);
  const ending = await call(clientOf(await serve(answerInPieces(bytes, 100))), { stream: caps }).ending;
  expect(failed(ending)).toEqual({ code: 13, origin: "transport", sent: true });
});
