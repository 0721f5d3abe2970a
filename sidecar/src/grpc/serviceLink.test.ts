import http2 from "node:http2";
import type { ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { answer, goAway, settings } from "../../../runtime/src/http2/testing/frames.ts";
import { ScriptedServer } from "../../../runtime/src/http2/testing/scriptedServer.ts";
import { setting } from "../../../runtime/src/http2/wire/settings.ts";
import { callClients } from "./callClient.ts";
import type { CallClientName } from "./callClient.ts";
import { openChannel } from "./channel.ts";
import { openServiceLink } from "./serviceLink.ts";

// What is asked about a service, over our own HTTP/2 and by grpc-js.

const open: Disposable[] = [];

afterEach(() => {
  for (const one of open.splice(0).toReversed()) one[Symbol.dispose]();
});

/** A link, and what it tells of its connection, one after the other. */
function link(port: number, by: CallClientName = "own") {
  const text = `127.0.0.1:${port}`;
  const told: boolean[] = [];
  let change = Promise.withResolvers<void>();
  const openLink = by === "own" ? openServiceLink : openChannel;
  const opened = openLink({ text, address: text }, undefined, (isConnected) => {
    told.push(isConnected);
    change.resolve();
    change = Promise.withResolvers<void>();
  });
  open.push(opened);
  const changes = async (count: number): Promise<readonly boolean[]> => {
    while (told.length < count) await change.promise;
    return told.slice(0, count);
  };
  const ask = async (timeoutMs = 0) => {
    const messages: string[] = [];
    const end = await opened.ask("a.B/C", Buffer.from("hi"), timeoutMs, (one) =>
      messages.push(Buffer.from(one).toString()),
    ).ended;
    return { code: end.code, messages };
  };
  return { opened, changes, ask };
}

async function serve(onStream: (stream: ServerHttp2Stream) => void): Promise<number> {
  const server = http2.createServer();
  server.on("stream", (stream) => {
    stream.on("error", () => undefined);
    onStream(stream);
  });
  open.push({ [Symbol.dispose]: () => void server.close() });
  server.on("session", (session) => open.push({ [Symbol.dispose]: () => session.destroy() }));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

function framed(text: string): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(text.length, 1);
  return Buffer.concat([prefix, Buffer.from(text)]);
}

/** Says OK with each piece as a write of its own. */
function answerWith(pieces: readonly Buffer[]) {
  return (stream: ServerHttp2Stream): void => {
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    for (const piece of pieces) stream.write(piece);
    stream.end();
  };
}

describe.each(callClients)("by %s", (by) => {
  test("each message of an answer is told once and whole, however it is cut", async () => {
    const bytes = Buffer.concat([framed("one"), framed(""), framed("three"), framed("x".repeat(100_000))]);
    const pieces = [...bytes.subarray(0, 20)].map((byte) => Buffer.of(byte));
    const { changes, ask } = link(await serve(answerWith([...pieces, bytes.subarray(20)])), by);
    await changes(1);
    expect(await ask()).toEqual({ code: 0, messages: ["one", "", "three", "x".repeat(100_000)] });
  });

  test("what is no gRPC says that it doesn't know the method", async () => {
    const { changes, ask } = link(await serve((stream) => stream.respond({ ":status": 404 }, { endStream: true })), by);
    await changes(1);
    expect(await ask()).toEqual({ code: 12, messages: [] });
  });

  test("a status without an answer is told, and one that never comes ends with its time", async () => {
    const refusing = { ":status": 200, "content-type": "application/grpc", "grpc-status": "5" };
    const known = link(await serve((stream) => stream.respond(refusing, { endStream: true })), by);
    await known.changes(1);
    expect(await known.ask()).toMatchObject({ code: 5 });
    const mute = link(await serve(() => undefined), by);
    await mute.changes(1);
    expect(await mute.ask(50)).toMatchObject({ code: 4 });
  });

  test("a connection that is lost is told, its questions end, and it comes back", async () => {
    const server = new ScriptedServer();
    open.push(server);
    const { opened, changes, ask } = link(await server.listen(), by);
    const first = await server.accept();
    first.send(settings());
    expect(await changes(1)).toEqual([true]);
    const asked = ask();
    await first.requests(1);
    first.socket.destroy();
    expect(await asked).toMatchObject({ code: 14 });
    expect(await changes(2)).toEqual([true, false]);
    const second = await server.accept();
    second.send(settings());
    expect(await changes(3)).toEqual([true, false, true]);
    expect(opened.isConnected()).toBe(true);
  });
});

test("without a connection a question ends at once", async () => {
  const server = new ScriptedServer();
  open.push(server);
  const { ask } = link(await server.listen());
  expect(await ask()).toMatchObject({ code: 14 });
});

test("what finds no room on the connection waits for it, and for no longer than it may", async () => {
  const server = new ScriptedServer();
  open.push(server);
  const { changes, ask } = link(await server.listen());
  const connection = await server.accept();
  connection.send(settings([setting.MAX_CONCURRENT_STREAMS, 1]));
  await changes(1);
  const [first, late, second] = [ask(), ask(20), ask()];
  expect(await late).toMatchObject({ code: 4 });
  expect(await connection.requests(1)).toEqual([1]);
  connection.send(answer(1));
  expect(await connection.requests(2)).toEqual([1, 3]);
  connection.send(answer(3));
  expect([(await first).code, (await second).code]).toEqual([0, 0]);
});

test("a service that goes away in peace is left for its next connection, and may end what it has", async () => {
  const server = new ScriptedServer();
  open.push(server);
  const { changes, ask } = link(await server.listen());
  const first = await server.accept();
  first.send(settings());
  await changes(1);
  const begun = ask();
  await first.requests(1);
  first.send(goAway(1));
  expect(await changes(2)).toEqual([true, false]);
  const second = await server.accept();
  second.send(settings());
  await changes(3);
  const next = ask();
  expect(await second.requests(1)).toEqual([1]);
  first.send(answer(1));
  second.send(answer(1));
  expect([(await begun).code, (await next).code]).toEqual([0, 0]);
});
