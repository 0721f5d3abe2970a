import http2 from "node:http2";
import type { ServerHttp2Stream } from "node:http2";
import net from "node:net";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { freePort } from "../../../test/support/freePort.ts";
import type { Ending } from "../core/ending.ts";
import { wasNeverSent } from "../core/ending.ts";
import { messageBytesMax, openChannel } from "./channel.ts";
import { invoke } from "./invoke.ts";

const open: Disposable[] = [];

afterEach(() => {
  for (const one of open.splice(0)) one[Symbol.dispose]();
});

function channelTo(port: number) {
  const { promise: connected, resolve } = Promise.withResolvers<void>();
  const text = `127.0.0.1:${port}`;
  const channel = openChannel({ text, address: text }, undefined, (isConnected) =>
    isConnected ? resolve() : undefined,
  );
  open.push(channel);
  return { channel, connected };
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

function call(channel: Parameters<typeof invoke>[0], rest: Partial<Parameters<typeof invoke>[1]> = {}) {
  return invoke(channel, {
    service: "a.B",
    method: "a.B/C",
    body: new Uint8Array([1]),
    headers: [],
    timeoutMs: 5_000,
    ...rest,
  });
}

function failed(ending: Ending) {
  if (ending.kind === "answered") throw new Error("it was answered");
  const { code, origin, sent } = ending;
  return { code, origin, sent };
}

test("a refused connection sent nothing", async () => {
  const { channel } = channelTo(await freePort());
  const ending = await call(channel).ending;
  expect(failed(ending)).toEqual({ code: 14, origin: "transport", sent: false });
  expect(wasNeverSent(ending)).toBe(true);
  expect(ending.peer).toMatch(/^127\.0\.0\.1:\d+$/);
});

test("a deadline that passes while still connecting sent nothing", async () => {
  const server = net.createServer((socket) => open.push({ [Symbol.dispose]: () => socket.destroy() }));
  open.push({ [Symbol.dispose]: () => void server.close() });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { channel } = channelTo(portOf(server.address()));
  const ending = await call(channel, { timeoutMs: 50 }).ending;
  expect(failed(ending)).toEqual({ code: 4, origin: "transport", sent: false });
  expect(wasNeverSent(ending)).toBe(true);
});

test("a reset before the connection stands sent nothing, and is no reason to give the task back", async () => {
  const { channel } = channelTo(await freePort());
  const begun = call(channel);
  begun.reset();
  const ending = await begun.ending;
  expect(failed(ending)).toEqual({ code: 1, origin: "transport", sent: false });
  expect(wasNeverSent(ending)).toBe(false);
});

const { NGHTTP2_REFUSED_STREAM, NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR, NGHTTP2_ENHANCE_YOUR_CALM } = http2.constants;

test("a stream that the server refuses was not looked at", async () => {
  const { channel } = channelTo(await serve((stream) => stream.close(NGHTTP2_REFUSED_STREAM)));
  const ending = await call(channel).ending;
  expect(failed(ending)).toEqual({ code: 14, origin: "transport", sent: false });
});

const ok = { ":status": 200, "content-type": "application/grpc" };

test.each([
  ["a cancel", (stream: ServerHttp2Stream) => stream.close(NGHTTP2_CANCEL)],
  ["an internal error", (stream: ServerHttp2Stream) => stream.close(NGHTTP2_INTERNAL_ERROR)],
  ["exhaustion", (stream: ServerHttp2Stream) => stream.close(NGHTTP2_ENHANCE_YOUR_CALM)],
  ["a loss", (stream: ServerHttp2Stream) => stream.session?.destroy()],
  ["an end without trailers", (stream: ServerHttp2Stream) => stream.end()],
])("%s of the connection is the transport's after sending, with and without headers before", async (_, end) => {
  const { channel } = channelTo(await serve(end));
  const early = await call(channel, { timeoutMs: 500 }).ending;
  expect(failed(early)).toMatchObject({ origin: "transport", sent: true });
  const { channel: other } = channelTo(
    await serve((stream) => {
      stream.respond(ok);
      stream.write(Buffer.alloc(0), () => setImmediate(() => end(stream)));
    }),
  );
  expect(failed(await call(other).ending)).toMatchObject({ origin: "transport", sent: true });
});

test("a status in trailers is the service's, after headers and alone", async () => {
  const { channel } = channelTo(
    await serve((stream) => stream.respond({ ...ok, "grpc-status": "5", "grpc-message": "gone" }, { endStream: true })),
  );
  expect(failed(await call(channel).ending)).toEqual({ code: 5, origin: "service", sent: true });
  const { channel: other } = channelTo(
    await serve((stream) => {
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "9" }));
      stream.respond(ok, { waitForTrailers: true });
      stream.end();
    }),
  );
  expect(failed(await call(other).ending)).toEqual({ code: 9, origin: "service", sent: true });
});

test("what can never be sent fails at once", async () => {
  const { channel, connected } = channelTo(await serve((stream) => stream.respond(ok)));
  await connected;
  const large = await call(channel, { body: new Uint8Array(messageBytesMax + 1) }).ending;
  expect(failed(large)).toEqual({ code: 8, origin: "transport", sent: false });
  const malformed = await call(channel, { headers: [{ key: "bad key", value: new Uint8Array([1]) }] }).ending;
  expect(failed(malformed)).toEqual({ code: 13, origin: "transport", sent: false });
});

test("a view into a larger buffer is sent without its surroundings", async () => {
  const bodies: Buffer[] = [];
  const { channel } = channelTo(
    await serve((stream) => {
      stream.on("data", (bytes: Buffer) => bodies.push(bytes));
      stream.on("end", () => {
        stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
        stream.respond(ok, { waitForTrailers: true });
        stream.end(Buffer.from([0, 0, 0, 0, 1, 7]));
      });
    }),
  );
  const ending = await call(channel, { body: new Uint8Array([9, 1, 2, 3, 9]).subarray(1, 4) }).ending;
  expect(ending.kind === "answered" && [...ending.response]).toEqual([7]);
  expect(Array.from(Buffer.concat(bodies))).toEqual([0, 0, 0, 0, 3, 1, 2, 3]);
});
