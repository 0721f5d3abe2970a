import { jetstreamManager } from "@nats-io/jetstream";
import assert from "node:assert/strict";
import { expect, test } from "vitest";
import { HistoryEvent_Kind as Kind, Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import { startNats } from "../../../test/support/nats.ts";
import { makeEmit, makePlan, openOrchestrator } from "../../../test/support/orchestrators.ts";

const plan = makePlan([makeEmit("tell", "shop.placed")]);
const within = (): AbortSignal => AbortSignal.timeout(25_000);

test("a message is in the user's stream before the run goes on, and says where it comes from", async () => {
  await using server = await startNats();
  await using orchestrator = await openOrchestrator(server.url, plan);
  const manager = await jetstreamManager(orchestrator.nats.connection);
  await manager.streams.add({ name: "SHOP", subjects: ["shop.>"] });
  const runId = await orchestrator.begin(plan);
  const end = await orchestrator.processor.front.wait(runId, within());
  expect(end).toMatchObject({ kind: "ended", ended: { state: Run_State.COMPLETED } });
  const stored = await manager.streams.getMessage("SHOP", { seq: 1 });
  assert(stored !== null);
  expect(stored.subject).toBe("shop.placed");
  expect(stored.string()).toBe("placed");
  expect(stored.header.get("sidestep-run-id")).toBe(runId);
  expect(stored.header.get("sidestep-step")).toBe("tell");
  expect(stored.header.get("sidestep-type")).toBe("shop.v1.Placed");
  expect(stored.header.get("traceparent")).toMatch(new RegExp(`^00-${runId}-[0-9a-f]{16}-00$`));
  expect((await manager.streams.info("SHOP")).state.messages).toBe(1);
});

test("a message of before its owner's death is stored once, and the run goes on", async () => {
  await using server = await startNats();
  await using door = await openOrchestrator(server.url, plan, { over: { ownsPartitions: false } });
  const manager = await jetstreamManager(door.nats.connection);
  await manager.streams.add({ name: "SHOP", subjects: ["shop.>"] });
  const runId = await door.begin(plan);
  // As an owner leaves it that dies between the message and its event.
  const message = { subject: "shop.placed", type: "shop.v1.Placed", id: `${runId}/tell/g0`, headers: [] } as const;
  await door.ports.messages.publish({ ...message, data: Buffer.from("placed") }, { signal: within() });
  await using orchestrator = await openOrchestrator(server.url, plan);
  const end = await orchestrator.processor.front.wait(runId, within());
  expect(end).toMatchObject({ kind: "ended", ended: { state: Run_State.COMPLETED } });
  expect((await manager.streams.info("SHOP")).state.messages).toBe(1);
});

test("a message that no stream takes is said to be rejected, and why", async () => {
  await using server = await startNats();
  await using orchestrator = await openOrchestrator(server.url, plan);
  const runId = await orchestrator.begin(plan);
  const { front } = orchestrator.processor;
  const rejections = async () => {
    const found = await front.history(runId, 0, 100);
    const events = found.kind === "history" ? found.events : [];
    return events.flatMap(({ kind, step, text }) => (kind === Kind.COMMAND_REJECTED ? [`${step}: ${text}`] : []));
  };
  await expect.poll(rejections, { timeout: 5000 }).toEqual(["tell: no stream has the subject shop.placed"]);
});
