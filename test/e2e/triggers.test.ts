import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
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

/** A POST for a trigger. */
async function hook(
  id: string,
  body: string | Uint8Array,
  given: Readonly<Record<string, string>> = {},
  at = address,
): Promise<number> {
  const answer = await fetch(`http://${at}/hooks/${id}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...given },
    body: Buffer.from(body),
  });
  await answer.text();
  return answer.status;
}

test("a POST is a message for its trigger: signed, where there is a secret, and one run for each delivery", async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), "sidestep-secrets-"));
  await writeFile(path.join(folder, "flows.v1.Flows.Take.placed"), "an-older-secret-of-it\nthe-secret-of-it\n");
  const guarded = (await stack.start({ args: ["--hook-secrets", folder] })).address;
  await expect.poll(() => hook(placed, "{}", {}, guarded), patience).toBe(401);
  const body = JSON.stringify({ id: "hooked", quantity: 3 });
  const sign = (text: string, secret = "the-secret-of-it"): string =>
    createHmac("sha256", secret).update(text).digest("hex");
  const before = (await startedBy(placed)).length;
  const hub = { "x-hub-signature-256": `sha256=${sign(body)}`, "x-github-delivery": "d-1" };
  expect(await hook(placed, body, hub, guarded)).toBe(202);
  expect(await hook(placed, body, hub, guarded)).toBe(202);
  const own = (seconds: number): string => `t=${seconds},v1=${sign(`${seconds}.${body}`, "an-older-secret-of-it")}`;
  const now = Math.floor(Date.now() / 1000);
  expect(await hook(placed, body, { "sidestep-signature": own(now), "idempotency-key": "d-2" }, guarded)).toBe(202);
  expect(await hook(placed, body, { "sidestep-signature": own(now - 600) }, guarded)).toBe(401);
  expect(await hook(placed, `${body} `, hub, guarded)).toBe(401);
  expect(await hook(placed, body, { "x-hub-signature-256": `sha256=${sign(body, "no secret of it")}` }, guarded)).toBe(
    401,
  );
  // One without a file takes nothing, where there is a folder.
  expect(await hook(core, body, {}, guarded)).toBe(401);
  expect(await hook("flows.v1.Flows/Take/other", body, hub, guarded)).toBe(404);
  expect(await hook(placed, Buffer.alloc(800_000), hub, guarded)).toBe(413);
  await expect.poll(() => startedBy(placed), patience).toHaveLength(before + 2);
  await settled(placed);
  expect(await startedBy(placed)).toHaveLength(before + 2);
  // On an address where nobody needs a token, and no secrets are set, none is needed; but a page of another site is kept out.
  await ok("trigger", "pause", core);
  const atCore = (await startedBy(core)).length;
  expect(await hook(core, body)).toBe(202);
  expect(await hook(core, body, { origin: "https://elsewhere.example" })).toBe(403);
  await ok("trigger", "resume", core);
  await expect.poll(() => startedBy(core), patience).toHaveLength(atCore + 1);
  await rm(folder, { recursive: true });
});

test("a trigger is blocked where somebody else's stream takes in a part of its subject, and says so", async () => {
  const manager = await jetstreamManager(stack.client.connection);
  await manager.streams.add({ name: "PART", subjects: ["partly.*.eu"] });
  const more = `rpc Part(Placed) returns (Placed) {
    option (sidestep.v1.workflow) = {
      trigger { name: "part" subject { pattern: "partly.>" type: "flows.v1.Placed" } }
      step { id: "at" let { value: 'input.id' } } output: '{id: at}'
    };
  }`;
  await stack.deploy(address, flows("event.quantity != 0", more));
  const part = "flows.v1.Flows/Part/part";
  const state = async () => (await triggers()).find(({ triggerId }) => triggerId === part);
  await expect.poll(state, patience).toMatchObject({
    state: State.BLOCKED,
    blocked: expect.stringContaining("the stream PART takes in a part of 'partly.>' (partly.*.eu)"),
  });
  // Another version has it where it can be; then the contract has it no more, and it may be forgotten.
  await stack.deploy(address, flows("event.quantity != 0", more.replace("partly.>", "partly.de.eu")));
  await expect.poll(state, patience).toMatchObject({ state: State.ACTIVE, stream: "PART" });
  expect((await stack.sidestep(address, "trigger", "delete", part)).stderr).toContain("TRIGGER_OF_CONTRACT");
  await stack.deploy(address, flows());
  await expect.poll(state, patience).toMatchObject({ state: State.RETIRED });
  expect(await hook(part, "{}")).toBe(404);
  await ok("trigger", "delete", part);
  expect(await state()).toBeUndefined();
  expect((await manager.consumers.list("PART").next()).length).toBe(0);
});

test("two orchestrators share the messages, and what one of them dies with comes to the other", async () => {
  // The first can start runs, and acknowledge nothing.
  const users = (name: string, permissions: string) => `{ user: ${name}, password: ${name}-password${permissions} }`;
  const deny = `, permissions: { publish: { deny: ["$JS.ACK.${names.eventsStream}.>"] } }`;
  const configuration = `authorization { users: [${users("whole", "")}, ${users("mute", deny)}] }`;
  const urlOf = (nats: { readonly port: number }, user: string): string =>
    `nats://${user}:${user}-password@127.0.0.1:${nats.port}`;
  await using other = await startTriggerStack({ configuration, clientUrl: (nats) => urlOf(nats, "whole") });
  const mute = await other.start({ env: { NATS_URL: urlOf(other.nats, "mute") } });
  await other.deploy(mute.address, flows());
  const manager = await jetstreamManager(other.client.connection);
  const consumer = names.triggerConsumer(core);
  const info = () => manager.consumers.info(names.eventsStream, consumer).catch(() => undefined);
  await expect.poll(info, patience).toBeDefined();
  const starts = async () => (await other.starts()).filter(({ event }) => event?.trigger === core);
  for (let index = 0; index < 20; index++)
    other.client.connection.publish("plain.de.placed", json({ id: `r${index}`, quantity: 1 }));
  await expect.poll(starts, patience).toHaveLength(20);
  expect(await info()).toMatchObject({ num_ack_pending: 20, num_redelivered: 0 });
  // What waits for an acknowledgement is given out again after a second now.
  await manager.consumers.update(names.eventsStream, consumer, { ack_wait: 1_000_000_000 });
  await mute.program.kill9();
  const env = { NATS_URL: urlOf(other.nats, "whole") };
  const [first, second] = [await other.start({ env }), await other.start({ env })];
  await expect.poll(info, patience).toMatchObject({ num_ack_pending: 0, num_pending: 0 });
  expect(await starts()).toHaveLength(20);
  const took = async ({ program }: typeof first): Promise<number> => {
    const port = /"adminPort":(\d+)/.exec(program.lines.join("\n"))?.[1] ?? "";
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    const lines = text.split("\n").filter((line) => /trigger_messages_total.*outcome="(started|joined)"/.test(line));
    return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
  };
  expect((await took(first)) + (await took(second))).toBe(20);
  // Both are there to take them.
  await expect
    .poll(async () => {
      for (let index = 0; index < 100; index++)
        other.client.connection.publish("plain.de.placed", json({ id: `s${index}`, quantity: 1 }));
      return Math.min(await took(first), await took(second));
    }, patience)
    .toBeGreaterThan(50);
}, 60_000);
