import assert from "node:assert/strict";
import { afterAll, beforeAll, expect, test } from "vitest";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { headers } from "@nats-io/transport-node";
import {
  EventTrigger_State as State,
  ListParkedResponse,
  ListTriggersResponse,
  RetriedEvent_Outcome as Outcome,
  RetryParkedResponse,
} from "../../proto/gen/sidestep/v1/triggers.ts";
import type { EventTrigger } from "../../proto/gen/sidestep/v1/triggers.ts";
import { toNames } from "../../proto/wire/subjects.ts";
import { startTriggerStack } from "../support/triggerStack.ts";
import type { TriggerStack } from "../support/triggerStack.ts";

/** `when` of the trigger of user's stream. */
const flows = (when = "event.quantity != 0", more = ""): string => `
syntax = "proto3";
package flows.v1;
import "sidestep/v1/workflow.proto";

service Flows {
  rpc Take(Placed) returns (Placed) {
    option (sidestep.v1.workflow) = {
      trigger { name: "placed" subject { pattern: "orders.placed" type: "flows.v1.Placed" } when: '${when}' }
      step { id: "at" let { value: 'input.id' } } output: '{id: at}'
    };
  }
  rpc Watch(Placed) returns (Placed) {
    option (sidestep.v1.workflow) = {
      trigger {
        name: "core" subject { pattern: "plain.*.placed" type: "flows.v1.Placed" }
        input: '{id: event.id, quantity: 10 / event.quantity}'
      }
      step { id: "at" let { value: 'input.id' } } output: '{id: at}'
    };
  }
  rpc Pay(Placed) returns (Placed) {
    option (sidestep.v1.workflow) = { key: 'input.id' step { id: "paid" signal { name: "paid" } } output: '{id: paid.id}' };
  }
  rpc Paid(Placed) returns (Nothing) {
    option (sidestep.v1.signal) = {
      name: "paid" workflow: "Pay" key: 'input.id'
      trigger { name: "paid" subject { pattern: "payments.done" type: "flows.v1.Placed" } }
    };
  }
  ${more}
}
message Placed { string id = 1; int32 quantity = 2; }
message Nothing {}
`;
const placed = "flows.v1.Flows/Take/placed";
const core = "flows.v1.Flows/Watch/core";
const paid = "flows.v1.Flows/Pay/paid";
const names = toNames();
const patience = { timeout: 20_000, interval: 50 };

let stack: TriggerStack;
let address = "";
beforeAll(async () => {
  stack = await startTriggerStack();
  const manager = await jetstreamManager(stack.client.connection);
  await manager.streams.add({ name: "ORDERS", subjects: ["orders.>"], duplicate_window: 200_000_000 });
  address = (await stack.start()).address;
  await stack.deploy(address, flows());
}, 60_000);
afterAll(async () => stack[Symbol.asyncDispose]());

async function triggers(): Promise<readonly EventTrigger[]> {
  const { stdout } = await stack.sidestep(address, "trigger", "list", "-o", "json");
  return ListTriggersResponse.fromJSON(JSON.parse(stdout)).triggers;
}

async function triggerOf(id: string): Promise<EventTrigger> {
  const found = (await triggers()).find(({ triggerId }) => triggerId === id);
  assert(found !== undefined, `no trigger ${id}`);
  return found;
}

async function parkedOf(id: string): Promise<ListParkedResponse["events"]> {
  const { stdout } = await stack.sidestep(address, "trigger", "parked", id, "-o", "json");
  return ListParkedResponse.fromJSON(JSON.parse(stdout)).events;
}

async function ok(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await stack.sidestep(address, ...args);
  expect({ code, stderr: code === 0 ? "" : stderr }, args.join(" ")).toEqual({ code: 0, stderr: "" });
  return stdout;
}

/** What the runs that events of a trigger have started were given. */
async function startedBy(id: string): Promise<readonly string[]> {
  const starts = await stack.starts();
  return starts.flatMap(({ event, request }) =>
    event?.trigger === id ? [Buffer.from(request).toString("latin1")] : [],
  );
}

const json = (value: object): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

async function publish(subject: string, data: Uint8Array, msgID?: string): Promise<void> {
  await jetstream(stack.client.connection).publish(subject, data, msgID === undefined ? {} : { msgID });
}

/** Nothing waits, nothing is in hands. */
async function settled(id: string): Promise<void> {
  await expect
    .poll(async () => {
      const { waiting, inHands } = await triggerOf(id);
      return waiting + inHands;
    }, patience)
    .toBe(0n);
}

test("a message of somebody's own stream starts a run, once for all its doubles", async () => {
  await expect
    .poll(async () => (await triggers()).map(({ state }) => state), patience)
    .toEqual([State.ACTIVE, State.ACTIVE, State.ACTIVE]);
  expect(await triggerOf(placed)).toMatchObject({
    stream: "ORDERS",
    pattern: "orders.placed",
    type: "flows.v1.Placed",
  });
  await publish("orders.placed", json({ id: "a", quantity: 1 }), "m-1");
  await expect.poll(() => startedBy(placed), patience).toHaveLength(1);
  // Until the stream has forgotten the id, and stores it anew.
  const manager = await jetstreamManager(stack.client.connection);
  const last = async (): Promise<number> => (await manager.streams.info("ORDERS")).state.last_seq;
  const before = await last();
  await expect
    .poll(async () => {
      await publish("orders.placed", json({ id: "a", quantity: 1 }), "m-1");
      return last();
    }, patience)
    .toBeGreaterThan(before);
  await publish("orders.placed", json({ id: "b", quantity: 0 }), "m-2");
  await publish("orders.placed", json({ id: "c", quantity: 2 }), "m-3");
  await expect.poll(() => startedBy(placed), patience).toHaveLength(2);
  await settled(placed);
  expect((await startedBy(placed)).map((text) => text.includes("a") || text.includes("c"))).toEqual([true, true]);
  const first = (await stack.starts()).find(({ event }) => event?.trigger === placed);
  expect(first).toMatchObject({
    actor: `trigger ${placed}`,
    key: "event/placed/id m-1",
    event: { trigger: placed, event: "id m-1" },
  });
});

test("messages of core NATS are kept by a stream of ours, which has what no other has", async () => {
  expect(await triggerOf(core)).toMatchObject({ stream: "", pattern: "plain.*.placed" });
  const manager = await jetstreamManager(stack.client.connection);
  const { config } = await manager.streams.info(names.eventsStream);
  expect(config.subjects).toEqual(["sidestep.event.*", "payments.done", "plain.*.placed"]);
  const before = (await startedBy(core)).length;
  stack.client.connection.publish("plain.de.placed", json({ id: "d", quantity: 5 }));
  // A CloudEvent, twice: by its source and id it is one.
  const envelope = { specversion: "1.0", id: "7", source: "/shop", type: "placed", data: { id: "e", quantity: 2 } };
  const cloudHeaders = headers();
  cloudHeaders.set("Content-Type", "application/cloudevents+json");
  for (let time = 0; time < 2; time++)
    stack.client.connection.publish("plain.at.placed", json(envelope), { headers: cloudHeaders });
  await expect.poll(() => startedBy(core), patience).toHaveLength(before + 2);
  await settled(core);
  expect(await startedBy(core)).toHaveLength(before + 2);
  // What has been taken is not kept.
  expect((await manager.streams.info(names.eventsStream)).state.messages).toBe(0);
});

test("what can't be taken is parked with the reason, and may be retried or dropped", async () => {
  await publish("plain.x.placed", Buffer.from([0xff, 0xff]));
  await publish("plain.x.placed", json({ id: "zero", quantity: 0 }));
  await publish("plain.x.placed", json({ id: "text", quantity: "many" }));
  await expect.poll(async () => (await parkedOf(core)).length, patience).toBe(3);
  const parked = await parkedOf(core);
  expect(parked.map(({ code }) => code).toSorted()).toEqual(["EXPRESSION", "UNDECODABLE", "UNDECODABLE"]);
  expect(await triggerOf(core)).toMatchObject({ parked: 3n, waiting: 0n, inHands: 0n });
  const shown = await ok("trigger", "parked", core, "--payload");
  expect(shown).toContain("the bytes are no flows.v1.Placed");
  expect(shown).toMatch(/trigger\[0\]\.input: division by zero/);
  expect(shown).toContain("zero");
  const zero = parked.find(({ code }) => code === "EXPRESSION");
  assert(zero !== undefined);
  const still = await stack.sidestep(address, "trigger", "retry", core, zero.parkedId, "-o", "json");
  expect(still.code).toBe(1);
  expect(RetryParkedResponse.fromJSON(JSON.parse(still.stdout)).events).toMatchObject([{ outcome: Outcome.PARKED }]);
  expect((await parkedOf(core)).find(({ parkedId }) => parkedId === zero.parkedId)?.times).toBe(2);
  // A mended contract takes it.
  await stack.deploy(address, flows().replace("10 / event.quantity", "10 / (event.quantity + 1)"));
  const before = (await startedBy(core)).length;
  const retried = await ok("trigger", "retry", core, zero.parkedId, "-o", "json");
  expect(RetryParkedResponse.fromJSON(JSON.parse(retried)).events).toMatchObject([
    { outcome: Outcome.STARTED, runId: expect.stringMatching(/^[0-9a-f]{32}$/) },
  ]);
  expect(await startedBy(core)).toHaveLength(before + 1);
  expect((await stack.sidestep(address, "trigger", "drop", core)).code).toBe(2);
  const dropped = await stack.sidestep(address, "trigger", "drop", core, "--all", "--reason", "a test");
  expect(dropped.stderr).toContain("2 parked messages are thrown away");
  expect(await triggerOf(core)).toMatchObject({ parked: 0n });
  expect(await ok("audit", "list")).toMatch(/Triggers\/DropParked.*a test/);
});

test("a message signals the run of its key, waits for one that is not there yet, and its double does nothing", async () => {
  await publish("payments.done", json({ id: "p1" }), "pay-1");
  await ok("run", "start", "flows.v1.Flows/Pay", "-d", '{"id": "p1"}');
  const pay = async (id: string) => ok("run", "list", "--filter", `key == "${id}"`, "-o", "json");
  await expect.poll(() => pay("p1"), patience).toContain("COMPLETED");
  await ok("run", "start", "flows.v1.Flows/Pay", "-d", '{"id": "p2"}');
  await publish("payments.done", json({ id: "p2" }), "pay-2");
  await expect.poll(() => pay("p2"), patience).toContain("COMPLETED");
  await settled(paid);
  // Known to the run, though that has ended.
  const manager = await jetstreamManager(stack.client.connection);
  await manager.streams.update(names.eventsStream, { duplicate_window: 100_000_000 });
  const sent = async (): Promise<number> => (await manager.streams.info(names.eventsStream)).state.last_seq;
  const before = await sent();
  await expect
    .poll(async () => {
      await publish("payments.done", json({ id: "p2" }), "pay-2");
      return sent();
    }, patience)
    .toBeGreaterThan(before);
  // Another one comes too late for it.
  await publish("payments.done", json({ id: "p2" }), "pay-3");
  await expect.poll(async () => (await parkedOf(paid)).map(({ code }) => code), patience).toEqual(["RUN_ENDED"]);
  await settled(paid);
  expect(await parkedOf(paid)).toHaveLength(1);
});

test("one that is paused keeps what comes, says who did it and why, and goes on with it", async () => {
  await ok("trigger", "pause", core, "--reason", "stocktaking");
  expect(await triggerOf(core)).toMatchObject({ state: State.PAUSED, pauseReason: "stocktaking" });
  const before = (await startedBy(core)).length;
  for (const id of ["k1", "k2", "k3"]) stack.client.connection.publish("plain.de.placed", json({ id, quantity: 1 }));
  await expect
    .poll(async () => {
      const { waiting, inHands } = await triggerOf(core);
      return waiting + inHands;
    }, patience)
    .toBe(3n);
  expect(await startedBy(core)).toHaveLength(before);
  await ok("trigger", "resume", core);
  await expect.poll(() => startedBy(core), patience).toHaveLength(before + 3);
  await settled(core);
});
