import { afterAll, expect, test } from "vitest";
import { MeshAsk, MeshCall, MeshReply, MeshState } from "../../../proto/gen/sidestep/internal/v1/relay.ts";
import { toNames } from "../../../proto/wire/subjects.ts";
import { connectTo } from "../../../test/support/connectTo.ts";
import { startNats } from "../../../test/support/nats.ts";
import { parseCallTimeout } from "../../../runtime/src/grpc/callTimeout.ts";
import type { IncomingCall } from "../wayIn.ts";
import { openMesh } from "./mesh.ts";
import type { Mesh } from "./mesh.ts";
import { serveMesh } from "./meshServer.ts";

const closing = new AsyncDisposableStack();
afterAll(() => closing.disposeAsync());

test("the longest deadline that a caller can write is one that messages and timers have room for", async () => {
  const server = closing.use(await startNats());
  const names = toNames();
  const [called, calling] = [closing.use(await connectTo(server.url)), closing.use(await connectTo(server.url))];
  const timeouts: number[] = [];
  closing.use(
    serveMesh(called, names, "stock.v1.Stock", ["*"], {
      isIdempotent: () => false,
      make: (_, { timeoutMs }) => {
        timeouts.push(timeoutMs);
        return Promise.resolve(MeshReply.fromPartial({ kind: { $case: "completed", value: Uint8Array.of(7) } }));
      },
    }),
  );
  await called.connection.flush();
  const leftMs = (): number | undefined => parseCallTimeout("99999999H");
  expect(await codeOf(openMesh(calling, names), leftMs)).toBe(0);
  expect(timeouts).toHaveLength(1);
  expect(timeouts[0]).toBeLessThan(2 ** 31 - 250);
  expect(timeouts[0]).toBeGreaterThan(2 ** 31 - 1_000);
});

test("a call that nobody answers in time is told as that, and so is one that nobody takes", async () => {
  const server = closing.use(await startNats());
  const names = toNames();
  const [called, calling] = [closing.use(await connectTo(server.url)), closing.use(await connectTo(server.url))];
  const mesh = openMesh(calling, names);
  expect(await codeOf(mesh, () => 50)).toBe(14);
  let asked = 0;
  called.connection.subscribe(names.meshSubject("stock.v1.Stock", "*"), { callback: () => void (asked += 1) });
  await called.connection.flush();
  // In doubt.
  expect(await codeOf(mesh, () => 50)).toBe(2);
  // It may have been made: it is not made again.
  expect(asked).toBe(1);
});

test("a call that is too large with its headers is not sent, and told as that", async () => {
  const server = closing.use(await startNats());
  const names = toNames();
  const [called, calling] = [closing.use(await connectTo(server.url)), closing.use(await connectTo(server.url))];
  let asked = 0;
  called.connection.subscribe(names.meshSubject("stock.v1.Stock", "*"), { callback: () => void (asked += 1) });
  await called.connection.flush();
  const mesh = openMesh(calling, names);
  const headers = [{ key: "x-large", value: new Uint8Array(48 * 1024) }];
  expect(await codeOf(mesh, () => 500, { headers, request: new Uint8Array(1_000_000) })).toBe(8);
  await calling.connection.flush();
  expect(asked).toBe(0);
});

test("a service of which no sidecar says whether it has a call is not asked for each call", async () => {
  const server = closing.use(await startNats());
  const names = toNames();
  const [called, calling] = [closing.use(await connectTo(server.url)), closing.use(await connectTo(server.url))];
  let asks = 0;
  const done = MeshReply.encode(MeshReply.fromPartial({ kind: { $case: "completed", value: new Uint8Array() } }));
  const answer = done.finish();
  called.connection.subscribe(names.meshSubject("stock.v1.Stock", "*"), {
    callback: (_, message) => void message.respond(answer),
  });
  called.connection.subscribe(names.meshAskSubject("stock.v1.Stock", "*"), { callback: () => void (asks += 1) });
  await called.connection.flush();
  const mesh = openMesh(calling, names);
  const codes = await Promise.all(Array.from({ length: 50 }, () => codeOf(mesh, () => 60_000)));
  expect(new Set(codes)).toEqual(new Set([0]));
  expect(asks).toBe(1);
});

function codeOf(mesh: Mesh, leftMs: () => number | undefined, more: Partial<IncomingCall> = {}): Promise<number> {
  const call = { method: "stock.v1.Stock/Count", request: new Uint8Array(), headers: [], leftMs, ...more };
  return new Promise((resolve) => {
    mesh.carry("shop.v1.Orders", call, {
      headers: () => undefined,
      message: () => Promise.resolve(),
      end: (end) => resolve(end.code),
    });
  });
}

test("a call that its caller leaves, or that is lost, is let go at once and not at its deadline", async () => {
  const server = closing.use(await startNats());
  const names = toNames();
  const [called, calling] = [closing.use(await connectTo(server.url)), closing.use(await connectTo(server.url))];
  const taken = Promise.withResolvers<void>();
  called.connection.subscribe(names.meshSubject("stock.v1.Stock", "*"), { callback: () => taken.resolve() });
  // Somebody is there, and has none of the calls.
  const state = MeshState.encode({ isIdempotent: false }).finish();
  called.connection.subscribe(names.meshAskSubject("stock.v1.Stock", "*"), {
    callback: (_, message) => {
      if (MeshAsk.decode(message.data).id.length === 0) message.respond(state);
    },
  });
  await called.connection.flush();
  const mesh = openMesh(calling, names);
  const call = { method: "stock.v1.Stock/Count", request: new Uint8Array(), headers: [], leftMs: () => 60_000 };
  const told: string[] = [];
  const giveUp = mesh.carry("shop.v1.Orders", call, {
    headers: () => undefined,
    message: () => Promise.resolve(),
    end: (end) => told.push(end.message),
  });
  await taken.promise;
  // The question who is there has been answered.
  await expect.poll(() => mesh.waiting()).toBe(1);
  giveUp();
  expect([mesh.waiting(), told]).toEqual([0, []]);
  // Missed three times, every 300 ms: its deadline is far.
  expect(await codeOf(mesh, () => 2_400)).toBe(2);
  expect(mesh.waiting()).toBe(0);
});

test("calls that are on their way to a sidecar that stops are answered", async () => {
  const server = closing.use(await startNats());
  const names = toNames();
  const [called, calling] = [closing.use(await connectTo(server.url)), closing.use(await connectTo(server.url))];
  const refused = MeshReply.fromPartial({ kind: { $case: "refused", value: "it stops" } });
  let stopped: PromiseLike<void> | undefined;
  const timeouts = new Set<number>();
  const serving = serveMesh(called, names, "stock.v1.Stock", ["*"], {
    isIdempotent: () => false,
    make: (_, { timeoutMs }) => {
      timeouts.add(timeoutMs);
      // At the first one the others have arrived.
      stopped ??= serving[Symbol.asyncDispose]();
      return Promise.resolve(refused);
    },
  });
  await called.connection.flush();
  const data = MeshCall.encode(MeshCall.fromPartial({ method: "stock.v1.Stock/Count" })).finish();
  const subject = names.meshSubject("stock.v1.Stock", "shop.v1.Orders");
  const asked = Array.from({ length: 100 }, () => calling.connection.request(subject, data, { timeout: 5_000 }));
  for (const answer of await Promise.all(asked))
    expect(MeshReply.decode(answer.data).kind).toMatchObject({ $case: "refused" });
  await stopped;
  // None was given, and that is no call without an end.
  expect(timeouts).toEqual(new Set([1]));
  await expect(calling.connection.request(subject, data, { timeout: 5_000 })).rejects.toThrow(/no responders/i);
});
