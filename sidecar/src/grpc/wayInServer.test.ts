import { once } from "node:events";
import { connect } from "node:http2";
import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from "node:http2";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { rename } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { connect as dial, createServer } from "node:net";
import { Client, credentials } from "@grpc/grpc-js";
import type { ServiceError } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { freePort } from "../../../test/support/freePort.ts";
import { callFrame } from "../../../runtime/src/grpc/callFrames.ts";
import { preface } from "../../../runtime/src/http2/frameWriter.ts";
import { framesIn, settings } from "../../../runtime/src/http2/testing/frames.ts";
import { frameType } from "../../../runtime/src/http2/wire/frame.ts";
import { silentLog } from "../../../runtime/src/log.ts";
import { failedEnd } from "../core/callEnd.ts";
import type { CarryCall, IncomingCall } from "../wayIn.ts";
import { openWayIn } from "./wayInServer.ts";
import type { WayInOptions } from "./wayInServer.ts";

const closing = new AsyncDisposableStack();
afterAll(() => closing.disposeAsync());

const seen: IncomingCall[] = [];
const refusal = 'key: 100 % of "ä", a/b?c=d&e+f#g;@$ is\ntaken';
let session: ClientHttp2Session;
let address: string;

beforeAll(async () => {
  address = `127.0.0.1:${await freePort()}`;
  const options = { requestBytesMax: 100, isServing: () => true, log: silentLog };
  const at = { text: address, address };
  closing.use(
    await openWayIn({
      ...options,
      at,
      carry: (call, answer) => {
        seen.push(call);
        if (call.method === "a.B/Never") return (why) => seen.push({ ...call, method: `given up: ${why}` });
        if (call.method === "a.B/Stuck") {
          void answer.message(Buffer.alloc(1024 * 1024));
          return (why) => seen.push({ ...call, method: `given up: ${why}` });
        }
        if (call.method === "a.B/Refused") {
          answer.end(failedEnd(9, refusal));
          return () => undefined;
        }
        answer.headers(new Map([["x-own", "1"]]));
        void answer.message(call.request);
        answer.end({ ...failedEnd(0, ""), trailers: new Map([["x-last", "2"]]) });
        return () => undefined;
      },
    }),
  );
  session = connect(`http://${address}`);
  closing.defer(() => session.destroy());
});

interface Got {
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
}

function send(body: Uint8Array, more: OutgoingHttpHeaders = {}): Promise<Got> {
  const stream = session.request({
    ":method": "POST",
    ":path": "/a.B/C",
    "content-type": "application/grpc",
    te: "trailers",
    ...more,
  });
  return new Promise((resolve, reject) => {
    const all: Record<string, unknown> = {};
    const parts: Buffer[] = [];
    stream.on("response", (headers) => Object.assign(all, headers));
    stream.on("trailers", (headers) => Object.assign(all, headers));
    stream.on("data", (part: Buffer) => parts.push(part));
    stream.on("close", () => resolve({ headers: all, body: Buffer.concat(parts) }));
    stream.on("error", reject);
    stream.end(body);
  });
}

test("a call passes, with its headers and the answer's trailers", async () => {
  const { headers, body } = await send(callFrame(Buffer.from("hello")), {
    "x-text": "t",
    "x-raw-bin": Buffer.from([0, 255]).toString("base64"),
    "grpc-timeout": "5S",
  });
  expect(headers).toMatchObject({ ":status": 200, "grpc-status": "0", "x-own": "1", "x-last": "2" });
  expect(body).toEqual(Buffer.from(callFrame(Buffer.from("hello"))));
  const call = seen.at(-1);
  expect(call?.headers).toEqual([
    { key: "x-text", value: Buffer.from("t") },
    { key: "x-raw-bin", value: Buffer.from([0, 255]) },
  ]);
  expect(call?.leftMs()).toBeLessThanOrEqual(5_000);
});

test("a compressed request is unpacked, and bounded by what comes out", async () => {
  const packed = (bytes: Uint8Array): Buffer => {
    const frame = Buffer.from(callFrame(gzipSync(bytes)));
    frame[0] = 1;
    return frame;
  };
  const gzip = { "grpc-encoding": "gzip" };
  expect((await send(packed(Buffer.from("hello")), gzip)).body).toEqual(Buffer.from(callFrame(Buffer.from("hello"))));
  expect((await send(packed(Buffer.alloc(1_000)), gzip)).headers).toMatchObject({ "grpc-status": "8" });
  expect((await send(packed(Buffer.from("x")), { "grpc-encoding": "br" })).headers).toMatchObject({
    "grpc-status": "12",
  });
});

test.each<readonly [string, Uint8Array, OutgoingHttpHeaders, Readonly<Record<string, unknown>>]>([
  ["no message", new Uint8Array(), {}, { "grpc-status": "12" }],
  [
    "two messages",
    Buffer.concat([callFrame(Buffer.from("a")), callFrame(Buffer.from("b"))]),
    {},
    { "grpc-status": "12" },
  ],
  ["half a message", Uint8Array.of(0, 0, 0, 0, 9, 1), {}, { "grpc-status": "13" }],
  ["a message over the limit", callFrame(Buffer.alloc(101)), {}, { "grpc-status": "8" }],
  ["a path that is none", callFrame(new Uint8Array()), { ":path": "/a/b/c" }, { "grpc-status": "12" }],
  ["a timeout that is none", callFrame(new Uint8Array()), { "grpc-timeout": "soon" }, { "grpc-status": "13" }],
  ["another content type", callFrame(new Uint8Array()), { "content-type": "text/plain" }, { ":status": 415 }],
  ["PUT", callFrame(new Uint8Array()), { ":method": "PUT" }, { ":status": 415 }],
])("%s is told", async (_, body, more, expected) => {
  const before = seen.length;
  expect((await send(body, more)).headers).toMatchObject(expected);
  expect(seen).toHaveLength(before);
});

test("a message comes to a client of grpc-js as it was written", async () => {
  const client = new Client(address, credentials.createInsecure());
  const raw = (bytes: Buffer): Buffer => bytes;
  const { code, details } = await new Promise<ServiceError>((resolve, reject) => {
    client.makeUnaryRequest("/a.B/Refused", raw, raw, Buffer.alloc(0), (error) =>
      error === null ? reject(new Error("it was answered")) : resolve(error),
    );
  });
  client.close();
  expect([code, details]).toEqual([9, refusal]);
});

test("health is answered here", async () => {
  const { body } = await send(callFrame(new Uint8Array()), { ":path": "/grpc.health.v1.Health/Check" });
  expect(body).toEqual(Buffer.from(callFrame(Uint8Array.of(8, 1))));
});

test.each(["grpc.health.v1.Health/Watch", "grpc.reflection.v1.ServerReflection/ServerReflectionInfo"])(
  "%s is refused before its request has ended",
  async (method) => {
    const stream = session.request({ ":method": "POST", ":path": `/${method}`, "content-type": "application/grpc" });
    stream.write(callFrame(new Uint8Array()));
    const [headers] = await once(stream, "response");
    expect(headers).toMatchObject({ "grpc-status": "12" });
    stream.close();
  },
);

test("a call whose time is over, or whose caller is gone, is given up", async () => {
  const before = seen.length;
  const { headers } = await send(callFrame(new Uint8Array()), { ":path": "/a.B/Never", "grpc-timeout": "20m" });
  expect(headers).toMatchObject({ "grpc-status": "4" });
  expect(seen.slice(before).map(({ method }) => method)).toEqual(["a.B/Never", "given up: late"]);
  const stream = session.request({ ":method": "POST", ":path": "/a.B/Never", "content-type": "application/grpc" });
  stream.end(callFrame(new Uint8Array()));
  await expect.poll(() => seen.at(-1)?.method).toBe("a.B/Never");
  stream.close();
  await expect.poll(() => seen.at(-1)?.method).toBe("given up: gone");
});

test("a call whose time is over is given up although its caller reads nothing, and what waits is dropped", async () => {
  const before = seen.length;
  const headers = { ":method": "POST", ":path": "/a.B/Stuck", "content-type": "application/grpc" };
  const stream = session.request({ ...headers, "grpc-timeout": "50m" });
  stream.end(callFrame(new Uint8Array()));
  const told = once(stream, "trailers");
  await expect.poll(() => seen.slice(before).map(({ method }) => method)).toEqual(["a.B/Stuck", "given up: late"]);
  let bytes = 0;
  stream.on("data", (piece: Buffer) => (bytes += piece.length));
  expect((await told)[0]).toMatchObject({ "grpc-status": "4" });
  await once(stream, "end");
  expect(bytes).toBe(65_535);
});

test("a call that was on its way when the sidecar goes away is answered", async () => {
  const bound = `127.0.0.1:${await freePort()}`;
  const answered: CarryCall = (call, answer) => {
    void answer.message(call.request);
    answer.end(failedEnd(0, ""));
    return () => undefined;
  };
  const at = { text: bound, address: bound };
  const wayIn = await openWayIn({ at, requestBytesMax: 9, isServing: () => true, log: silentLog, carry: answered });
  const client = connect(`http://${bound}`);
  closing.defer(() => client.destroy());
  await once(client, "remoteSettings");
  const stream = client.request({ ":method": "POST", ":path": "/a.B/C", "content-type": "application/grpc" });
  const told = once(stream, "trailers");
  stream.resume();
  stream.end(callFrame(Buffer.from("last")));
  await wayIn.drain(5_000);
  await wayIn[Symbol.asyncDispose]();
  expect((await told)[0]).toMatchObject({ "grpc-status": "0" });
});

test("answers that nobody reads are bounded together, and those that have been read make room", async () => {
  const bound = `127.0.0.1:${await freePort()}`;
  const at = { text: bound, address: bound };
  const bounds = { unreadBytesMax: 1_500_000 };
  const carry: CarryCall = (_, answer) => {
    void answer.message(Buffer.alloc(1_000_000));
    answer.end(failedEnd(0, ""));
    return () => undefined;
  };
  closing.use(await openWayIn({ at, requestBytesMax: 9, isServing: () => true, log: silentLog, carry, bounds }));
  const client = connect(`http://${bound}`);
  closing.defer(() => client.destroy());
  const asked = async (): Promise<{ readonly stream: ClientHttp2Stream; readonly end: Promise<unknown> }> => {
    const stream = client.request({ ":method": "POST", ":path": "/a.B/C", "content-type": "application/grpc" });
    const end = once(stream, "trailers").then(([trailers]) => trailers);
    stream.end(callFrame(new Uint8Array()));
    await once(stream, "response");
    return { stream, end };
  };
  const first = await asked();
  const second = await asked();
  second.stream.resume();
  expect(await second.end).toMatchObject(refusedFor(/do not read have 1500000 bytes/));
  first.stream.resume();
  expect(await first.end).toMatchObject({ "grpc-status": "0" });
  const third = await asked();
  third.stream.resume();
  expect(await third.end).toMatchObject({ "grpc-status": "0" });
});

test("a file that is no socket is left alone", async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "sidestep-way-in-"));
  closing.defer(() => rmSync(folder, { recursive: true, force: true }));
  const file = path.join(folder, "orders.db");
  writeFileSync(file, "kept");
  const at = { text: `unix:${file}`, address: `unix:${file}` };
  const options = { at, requestBytesMax: 100, isServing: () => true, log: silentLog, carry: () => () => undefined };
  await expect(openWayIn(options)).rejects.toThrow(/EADDRINUSE/);
  expect(readFileSync(file, "utf8")).toBe("kept");
});

test("a socket's file that a killed sidecar left is taken over, one that is answered is not", async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "sidestep-way-in-"));
  closing.defer(() => rmSync(folder, { recursive: true, force: true }));
  const socket = path.join(folder, "a.sock");
  const at = { text: `unix:${socket}`, address: `unix:${socket}` };
  const options = { at, requestBytesMax: 100, isServing: () => true, log: silentLog, carry: () => () => undefined };
  const left = createServer();
  await new Promise<void>((resolve) => left.listen(socket, resolve));
  await expect(openWayIn(options)).rejects.toThrow(/EADDRINUSE/);
  // As kill -9 leaves it: the file is there, and nobody behind it.

  await rename(socket, `${socket}.kept`);
  await new Promise((resolve) => left.close(resolve));
  await rename(`${socket}.kept`, socket);
  closing.use(await openWayIn(options));
});

/** One call that sends so many bytes and does not end; resolves with what it is told. */
function half(at: ClientHttp2Session, bytes: number): Promise<Readonly<Record<string, unknown>>> {
  const headers = { ":method": "POST", ":path": "/a.B/C", "content-type": "application/grpc" };
  const stream = at.request(headers);
  stream.on("error", () => undefined);
  stream.write(Buffer.alloc(bytes, 1));
  return new Promise((resolve) => stream.once("response", resolve));
}

const refusedFor = (message: RegExp) => ({
  "grpc-status": "8",
  "grpc-message": expect.stringMatching(message),
});

async function bounded(bounds: WayInOptions["bounds"]): Promise<() => ClientHttp2Session> {
  const bound = `127.0.0.1:${await freePort()}`;
  const carry = () => () => undefined;
  const at = { text: bound, address: bound };
  closing.use(
    await openWayIn({ at, requestBytesMax: 1_000, isServing: () => true, log: silentLog, carry, bounds: bounds ?? {} }),
  );
  return () => {
    const one = connect(`http://${bound}`);
    one.on("error", () => undefined);
    closing.defer(() => one.destroy());
    return one;
  };
}

test("more connections than there may be are told so, and the others go on", async () => {
  const open = await bounded({ connectionsMax: 2, requestWithinMs: 100 });
  const [first, second] = [open(), open()];
  await Promise.all([once(first, "remoteSettings"), once(second, "remoteSettings")]);
  const third = open();
  expect(await half(third, 1)).toMatchObject(refusedFor(/^2 connections are open/));
  await once(third, "close");
  expect(await half(first, 1)).toMatchObject({ "grpc-status": "4" });
});

test("more calls than there may be are told so, over all connections", async () => {
  const open = await bounded({ callsMax: 3 });
  const [first, second] = [open(), open()];
  const answers = [half(first, 1), half(first, 1), half(second, 1), half(second, 1)];
  expect(await Promise.race(answers)).toMatchObject(refusedFor(/^3 calls are open/));
});

test("half-sent requests are bounded together, and what a call held is free when it is over", async () => {
  const open = await bounded({ heldBytesMax: 1_500 });
  const opened = open();
  const headers = { ":method": "POST", ":path": "/a.B/C", "content-type": "application/grpc" };
  const holding = opened.request(headers);
  holding.write(Buffer.alloc(900, 1));
  expect(await half(opened, 900)).toMatchObject(refusedFor(/have 1500 bytes/));
  holding.close();
  await once(holding, "close");
  // Of what is over nothing is held: this one waits for the rest of its request, as the first did.
  const another = half(opened, 900);
  expect(await half(opened, 900)).toMatchObject(refusedFor(/have 1500 bytes/));
  expect(await Promise.race([another, half(opened, 900)])).toMatchObject(refusedFor(/have 1500 bytes/));
});

test("of a compressed request what it unpacks to is held, too", async () => {
  const open = await bounded({ heldBytesMax: 1_500 });
  const opened = open();
  const frame = Buffer.from(callFrame(gzipSync(Buffer.alloc(900))));
  frame[0] = 1;
  const whole = (): Promise<Readonly<Record<string, unknown>>> => {
    const stream = opened.request({
      ":method": "POST",
      ":path": "/a.B/C",
      "content-type": "application/grpc",
      "grpc-encoding": "gzip",
    });
    stream.on("error", () => undefined);
    stream.end(frame);
    return new Promise((resolve) => stream.once("response", resolve));
  };
  // One of them is carried, and waits.
  expect(await Promise.race([whole(), whole()])).toMatchObject(refusedFor(/have 1500 bytes/));
});

test("a request that does not become whole is not waited for", async () => {
  const open = await bounded({ requestWithinMs: 50 });
  const opened = open();
  const told = await half(opened, 3);
  expect(told).toMatchObject({ "grpc-status": "4", "grpc-message": expect.stringContaining("not whole") });
});

test("a caller whose host is gone, so that it says nothing ever again, does not keep its connection", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "setInterval"] });
  closing.defer(() => void vi.useRealTimers());
  const caller = dial(Number(address.split(":")[1]), "127.0.0.1");
  closing.defer(() => void caller.destroy());
  caller.write(Buffer.concat([preface, settings()]));
  const frames = async (isEnough: (types: readonly number[]) => boolean): Promise<void> => {
    const pieces: Buffer[] = [];
    while (!isEnough(framesIn(Buffer.concat(pieces)).map(({ type }) => type)))
      pieces.push(((await once(caller, "data")) as [Buffer])[0]);
  };
  // Its own settings, how much may be sent, and that it has ours.
  await frames((types) => types.filter((type) => type === frameType.SETTINGS).length === 2);
  vi.advanceTimersByTime(120_000);
  await frames((types) => types.includes(frameType.PING));
  const isLeft = once(caller, "end");
  vi.advanceTimersByTime(60_000);
  await isLeft;
  vi.useRealTimers();
  expect(caller.readableEnded).toBe(true);
});
