import path from "node:path";
import type { ServiceError } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CallRequest, RunsClient } from "../../proto/gen/sidestep/v1/runs.ts";
import type { CallResponse } from "../../proto/gen/sidestep/v1/runs.ts";
import { credentials, status } from "@grpc/grpc-js";
import { runHere } from "../../cli/src/testing.ts";
import { startOrderStack } from "../support/orderStack.ts";
import type { OrderStack } from "../support/orderStack.ts";
import { repositoryRoot } from "../support/program.ts";

const reserve = "inventory.v1.InventoryService/Reserve";
let stack: OrderStack;
let address = "";

beforeAll(async () => {
  stack = await startOrderStack();
  address = stack.orchestrators[0]?.address ?? "";
});
afterAll(() => stack[Symbol.asyncDispose]());

interface Told {
  readonly error: ServiceError | null;
  readonly response: CallResponse;
}

/** One durable call by a plain client of sidestep.v1.Runs. */
function call(more: Partial<CallRequest>): Promise<Told> {
  const runs = new RunsClient(address, credentials.createInsecure());
  return new Promise((resolve) => {
    runs.call(CallRequest.fromPartial({ method: reserve, ...more }), (error, response) => {
      runs.close();
      resolve({ error, response });
    });
  });
}

/** inventory.v1.ReserveRequest with an order_id alone. */
function order(id: string): Buffer {
  return Buffer.from([0x0a, id.length, ...Buffer.from(id)]);
}

async function cli(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runHere([...args, "--address", address]);
  if (code !== 0) throw new Error(stderr);
  return stdout;
}

const carriedOut = (id: string): number =>
  stack.services.inventory.journal().filter((entry) => JSON.stringify(entry).includes(id)).length;

test("one durable call is answered with the service's own bytes; the same key joins it and calls nothing again", async () => {
  const asked = { request: order("direct-1"), idempotencyKey: "k-1" };
  const first = await call(asked);
  expect(first.error).toBeNull();
  expect(first.response.response[0]).toBe(0x0a);
  const calls = carriedOut("direct-1");
  expect(calls).toBeGreaterThan(0);
  expect((await call(asked)).response).toEqual(first.response);
  expect(carriedOut("direct-1")).toBe(calls);
  const other = await call({ ...asked, request: order("direct-2") });
  expect(other.error?.code).toBe(status.ALREADY_EXISTS);
});

test("a detached call outlives the orchestrator that took it", async () => {
  await stack.sidecars.inventory.program().stop();
  const { error, response } = await call({ request: order("direct-3"), detach: true });
  expect([error, response.response.length]).toEqual([null, 0]);
  await stack.orchestrators[0]?.crash();
  await stack.sidecars.inventory.restart();
  await expect.poll(() => cli("run", "describe", response.runId), { timeout: 30_000 }).toMatch(/state +COMPLETED/);
  expect(carriedOut("direct-3")).toBeGreaterThan(0);
});

test("the command makes a call from JSON, with the types of a folder", async () => {
  const protos = path.join(repositoryRoot, "examples/order/proto");
  const said = await cli("call", reserve, "--proto", protos, "-d", '{"order_id": "direct-4"}');
  expect(JSON.parse(said)).toMatchObject({ reservationId: expect.any(String) });
});

test("what is held waits, and goes on when it is released", async () => {
  await cli("hold", "add", "--method", reserve, "--reason", "stock-taking");
  expect(await cli("hold", "list")).toMatch(/method +inventory\.v1\.InventoryService\/Reserve .*stock-taking/);
  // Owners hear of it within a second.
  let held = { order: "", runId: "" };
  let asked = 0;
  const begin = async (): Promise<string> => {
    const id = `direct-5-${++asked}`;
    const { response } = await call({ request: order(id), detach: true });
    held = { order: id, runId: response.runId };
    return cli("run", "explain", held.runId);
  };
  await expect.poll(begin, { timeout: 20_000, interval: 300 }).toContain("stock-taking");
  expect(carriedOut(held.order)).toBe(0);
  await cli("hold", "remove", "--method", reserve);
  expect(await cli("hold", "list")).not.toContain("Reserve");
  await expect.poll(() => cli("run", "describe", held.runId), { timeout: 30_000 }).toMatch(/state +COMPLETED/);
});

test("what is limited is listed, waits for its turn, and is free again", async () => {
  await cli("limit", "set", reserve, "--concurrency", "2", "--rate", "30/m");
  expect(await cli("limit", "list")).toMatch(/inventory\.v1\.InventoryService\/Reserve +2 +- +30\/m +.* ago/);
  const [first, second] = await Promise.all(["direct-6", "direct-7"].map((id) => call({ request: order(id) })));
  expect([first?.error, second?.error]).toEqual([null, null]);
  await cli("limit", "clear", reserve);
  expect(await cli("limit", "list")).not.toContain("Reserve");
  expect((await call({ request: order("direct-8") })).error).toBeNull();
});
