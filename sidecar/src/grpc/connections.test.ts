import { randomBytes } from "node:crypto";
import { afterEach, expect, test } from "vitest";
import { wasNeverSent } from "../core/ending.ts";
import type { Ending } from "../core/ending.ts";
import {
  answer,
  frame,
  goAway,
  head,
  headInPieces,
  number,
  settings,
} from "../../../runtime/src/http2/testing/frames.ts";
import { ScriptedServer } from "../../../runtime/src/http2/testing/scriptedServer.ts";
import { frameType } from "../../../runtime/src/http2/wire/frame.ts";
import { HpackDecoder } from "../../../runtime/src/http2/wire/hpackDecoder.ts";
import { setting } from "../../../runtime/src/http2/wire/settings.ts";
import type { CallRequest } from "../ports.ts";
import { UnaryClient } from "./unaryClient.ts";

// A server on a real socket that does only what a test tells it: which connection a call goes to, and what is said of one that went wrong.

const open: Disposable[] = [];

afterEach(() => {
  for (const one of open.splice(0)) one[Symbol.dispose]();
});

async function start(probeTimeoutMs?: number) {
  const server = new ScriptedServer();
  const text = `127.0.0.1:${await server.listen()}`;
  const client = new UnaryClient({ text, address: text }, undefined, probeTimeoutMs);
  open.push(client, server);
  const call = (rest: Partial<CallRequest> = {}) =>
    client.call({
      service: "a.B",
      method: "a.B/C",
      body: Buffer.from("body"),
      headers: [],
      timeoutMs: 20_000,
      stream: undefined,
      ...rest,
    });
  return { server, call };
}

function failed(ending: Ending) {
  if (ending.kind === "answered") throw new Error("it was answered");
  const { code, sent, message } = ending;
  return { code, sent, message };
}

function kinds(endings: readonly Ending[]): readonly string[] {
  return endings.map(({ kind }) => kind);
}

test("an answer that comes byte by byte is whole", async () => {
  const { server, call } = await start();
  const message = randomBytes(300);
  const begun = call();
  const connection = await server.accept();
  connection.socket.setNoDelay(true);
  for (const byte of settings()) connection.send(Uint8Array.of(byte));
  await connection.requests(1);
  for (const byte of answer(1, message)) connection.send(Uint8Array.of(byte));
  const ending = await begun.ending;
  expect(ending.kind === "answered" && Buffer.compare(ending.response, message)).toBe(0);
});

test("a call waits for a free stream; what ends while it waits was never sent", async () => {
  const { server, call } = await start();
  const first = call();
  const connection = await server.accept();
  connection.send(settings([setting.MAX_CONCURRENT_STREAMS, 1]));
  expect(await connection.requests(1)).toEqual([1]);
  const late = call({ timeoutMs: 30 });
  const reset = call();
  const second = call();
  reset.reset();
  const [lateEnding, resetEnding] = [await late.ending, await reset.ending];
  expect(failed(lateEnding)).toMatchObject({ code: 4, sent: false });
  expect(wasNeverSent(lateEnding)).toBe(true);
  expect(failed(resetEnding)).toMatchObject({ code: 1, sent: false });
  connection.send(answer(1));
  expect(await connection.requests(2)).toEqual([1, 3]);
  connection.send(answer(3));
  expect(kinds([await first.ending, await second.ending])).toEqual(["answered", "answered"]);
});

test("the service is told what is left of a call's time", async () => {
  const { server, call } = await start();
  void call();
  const connection = await server.accept();
  connection.send(settings([setting.MAX_CONCURRENT_STREAMS, 1]));
  await connection.requests(1);
  const waits = call({ timeoutMs: 10_000 });
  const short = call({ timeoutMs: 30 });
  await short.ending;
  connection.send(answer(1));
  await connection.requests(2);
  const { content } = await connection.frame(frameType.HEADERS, ({ streamId }) => streamId === 3);
  const fields = new Map(new HpackDecoder(10_000).decode(content).fields);
  const leftMs = Number(/^(\d+)m$/.exec(fields.get("grpc-timeout") ?? "")?.[1]);
  expect(leftMs).toBeGreaterThan(5_000);
  expect(leftMs).toBeLessThanOrEqual(9_975);
  connection.send(answer(3));
  expect((await waits.ending).kind).toBe("answered");
});

test("a server that goes away in the middle: what it has is finished, what it has not looked at goes to the next connection", async () => {
  const { server, call } = await start();
  const begun = [call(), call(), call()];
  const connection = await server.accept();
  connection.send(settings());
  await connection.requests(3);
  connection.send(goAway(3));
  const next = await server.accept();
  next.send(settings());
  expect(await next.requests(1)).toEqual([1]);
  const later = call();
  expect(await next.requests(2)).toEqual([1, 3]);
  connection.send(answer(1), answer(3));
  next.send(answer(1), answer(3));
  expect(kinds(await Promise.all([...begun, later].map(({ ending }) => ending)))).toEqual(Array(4).fill("answered"));
  expect(connection.frames.filter(({ type }) => type === frameType.DATA)).toHaveLength(3);
});

test("what a server says as it goes away is told of the calls that it loses", async () => {
  const { server, call } = await start();
  const begun = call();
  const connection = await server.accept();
  connection.send(settings());
  await connection.requests(1);
  connection.send(
    frame(frameType.GOAWAY, 0, 0, Buffer.concat([number(1), number(11), Buffer.from("too_many_pings\n")])),
  );
  connection.socket.end();
  expect(failed(await begun.ending)).toEqual({
    code: 14,
    sent: true,
    message: "the connection was lost, the service said ENHANCE_YOUR_CALM (too_many_pings?)",
  });
});

test("a call that two servers in a row have not looked at is given back", async () => {
  const { server, call } = await start();
  const begun = call();
  for (const _ of [1, 2]) {
    const connection = await server.accept();
    connection.send(settings());
    await connection.requests(1);
    connection.send(goAway(0));
  }
  const ending = await begun.ending;
  expect(failed(ending)).toMatchObject({ code: 14, sent: false });
  expect(wasNeverSent(ending)).toBe(true);
});

test("what waits moves to the next connection when the first is lost, what was sent is in doubt", async () => {
  const { server, call } = await start();
  const sent = call();
  const connection = await server.accept();
  connection.send(settings([setting.MAX_CONCURRENT_STREAMS, 1]));
  await connection.requests(1);
  const waits = call();
  connection.socket.destroy();
  expect(failed(await sent.ending)).toEqual({ code: 14, sent: true, message: "the connection was lost" });
  const next = await server.accept();
  next.send(settings());
  await next.requests(1);
  next.send(answer(1));
  expect((await waits.ending).kind).toBe("answered");
});

test("a server that takes connections and no calls is not asked again and again", async () => {
  const { server, call } = await start();
  const begun = call();
  const connection = await server.accept();
  connection.send(settings([setting.MAX_CONCURRENT_STREAMS, 0]), goAway(0));
  expect(failed(await begun.ending)).toMatchObject({ code: 14, sent: false });
});

test("what answers without HTTP/2 is told so", async () => {
  const { server, call } = await start();
  const begun = call();
  const connection = await server.accept();
  connection.send(Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n"));
  expect(failed(await begun.ending)).toMatchObject({
    code: 14,
    sent: false,
    message: expect.stringContaining("no HTTP/2 server is there"),
  });
});

test("garbage ends the connection, and with it all that is on it", async () => {
  const { server, call } = await start();
  const begun = [call(), call()];
  const connection = await server.accept();
  connection.send(settings());
  await connection.requests(2);
  connection.send(head(1, [[":status", "200"]]), randomBytes(64 * 1024).fill(0xff, 0, 3));
  for (const { ending } of begun)
    expect(failed(await ending)).toMatchObject({
      code: 14,
      sent: true,
      message: expect.stringContaining("broke HTTP/2"),
    });
  expect((await connection.frame(frameType.GOAWAY)).content.readUInt32BE(4)).toBeGreaterThan(0);
});

test("headers that are too large are told so, either way", async () => {
  const { server, call } = await start();
  const begun = call();
  const connection = await server.accept();
  connection.send(settings([setting.MAX_HEADER_LIST_SIZE, 1_000]));
  await connection.requests(1);
  const large = call({ headers: [{ key: "x-large", value: Buffer.alloc(1_000, "v") }] });
  expect(failed(await large.ending)).toMatchObject({ code: 8, sent: false });
  const fields = Array.from({ length: 80 }, (_, index) => [`x-${index}`, "v".repeat(1_000)] as const);
  connection.send(headInPieces(1, [[":status", "200"], ...fields]));
  expect(failed(await begun.ending)).toMatchObject({ code: 8, sent: true });
});

test("a connection that is dead is found out though it takes no more calls", async () => {
  const { server, call } = await start(20);
  const forever = call({ timeoutMs: 0 });
  const connection = await server.accept();
  connection.send(settings());
  await connection.requests(1);
  const short = call({ timeoutMs: 30 });
  await connection.requests(2);
  connection.send(goAway(3));
  expect(failed(await short.ending)).toMatchObject({ code: 4, sent: true });
  await connection.frame(frameType.PING);
  expect(failed(await forever.ending)).toMatchObject({ code: 14, sent: true });
});

test("a deadline resets its stream, and a ping that is answered leaves the connection as it is", async () => {
  const { server, call } = await start(10_000);
  const first = call();
  const connection = await server.accept();
  connection.send(settings());
  await connection.requests(1);
  connection.send(answer(1));
  expect((await first.ending).kind).toBe("answered");
  const short = call({ timeoutMs: 30 });
  await connection.requests(2);
  expect(failed(await short.ending)).toMatchObject({ code: 4, sent: true });
  expect((await connection.frame(frameType.RST_STREAM)).content).toEqual(number(8));
  const { content } = await connection.frame(frameType.PING);
  connection.send(frame(frameType.PING, 1, 0, content));
  const next = call();
  await connection.requests(3);
  connection.send(answer(5));
  expect((await next.ending).kind).toBe("answered");
});
