import { expect, test } from "vitest";
import { MeshCall, MeshReply } from "../../../proto/gen/sidestep/internal/v1/relay.ts";
import { toNames } from "../../../proto/wire/subjects.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import { parseCallTimeout } from "../core/callTimeout.ts";
import { openMesh } from "./mesh.ts";

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
