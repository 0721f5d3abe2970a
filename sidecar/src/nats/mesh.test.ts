import { afterAll, expect, test } from "vitest";
import { MeshCall, MeshReply } from "../../../proto/gen/sidestep/internal/v1/relay.ts";
import { toNames } from "../../../proto/wire/subjects.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import { connectTo } from "../../../test/support/connectTo.ts";
import { startNats } from "../../../test/support/nats.ts";
import { parseCallTimeout } from "../core/callTimeout.ts";
import { openMesh, serveMesh } from "./mesh.ts";

const closing = new AsyncDisposableStack();
afterAll(() => closing.disposeAsync());

test("the longest deadline that a caller can write is one that messages and timers have room for", async () => {
  const timeouts: number[] = [];
  const connection = {
    request: (_: string, data: Uint8Array, { timeout }: { timeout: number }) => {
      timeouts.push(timeout, MeshCall.decode(data).timeoutMs);
      const reply = MeshReply.fromPartial({ kind: { $case: "completed", value: Uint8Array.of(7) } });
      return Promise.resolve({ data: MeshReply.encode(reply).finish() });
    },
  };
  const nats = { connection: connection as object, isConnected: () => true } as Partial<Nats> as Nats;
  const leftMs = (): number | undefined => parseCallTimeout("99999999H");
  const call = { method: "stock.v1.Stock/Count", request: new Uint8Array(), headers: [], leftMs };
  const code = await new Promise<number>((resolve) => {
    openMesh(nats, toNames()).carry("shop.v1.Orders", call, {
      headers: () => undefined,
      message: () => Promise.resolve(),
      end: (end) => resolve(end.code),
    });
  });
  expect(code).toBe(0);
  expect(Math.max(...timeouts)).toBe(2 ** 31 - 1);
});

test("calls that are on their way to a sidecar that stops are answered", async () => {
  const server = closing.use(await startNats());
  const names = toNames();
  const [called, calling] = [closing.use(await connectTo(server.url)), closing.use(await connectTo(server.url))];
  const refused = MeshReply.fromPartial({ kind: { $case: "refused", value: "it stops" } });
  let stopped: PromiseLike<void> | undefined;
  const timeouts = new Set<number>();
  const serving = serveMesh(called, names, "stock.v1.Stock", ["*"], ({ timeoutMs }) => {
    timeouts.add(timeoutMs);
    // At the first one the others have arrived.
    stopped ??= serving[Symbol.asyncDispose]();
    return Promise.resolve(refused);
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
