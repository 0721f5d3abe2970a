import assert from "node:assert/strict";
import { expect, test } from "vitest";
import { Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { childRunId } from "../../../proto/wire/childRunId.ts";
import { fromHex, parseRunId } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { code } from "../../../proto/wire/status.ts";
import { silent } from "../../../test/support/connectTo.ts";
import { startNats } from "../../../test/support/nats.ts";
import { makePlan, makeWait, openOrchestrator } from "../../../test/support/orchestrators.ts";
import type { Orchestrator } from "../../../test/support/orchestrators.ts";
import type { StartChild, StopChild } from "../engine/command.ts";
import type { LoadedPlan } from "../engine/plan.ts";
import { noLimits } from "../engine/testing/records.ts";
import { execute } from "./execute.ts";
import type { Ownership } from "./ownership.ts";
import { toResidentRun } from "./residentRun.ts";
import { openUnfinished } from "./unfinished.ts";

const workflow = "test.v1.Flows/Child";
const plan = makePlan([makeWait("long", 3_600_000)], workflow);
const at = { step: "ship", generation: 0 };
const start: StartChild = {
  kind: "startChild",
  issuedAt: 1,
  at,
  workflow,
  request: new Uint8Array(),
  key: undefined,
  detach: false,
};
const stop: StopChild = { kind: "stopChild", issuedAt: 2, at, how: "cancel", reason: "no more" };
const carry = { hold: 1, atMs: 0, recheck: false };

/** Who carries out the commands of one run; `deployed`: what is active. Several of them are owners that don't know of each other. */
function makeOwner({ ports, layouts }: Orchestrator, runId: RunId, deployed: LoadedPlan | undefined) {
  const unfinished = openUnfinished(0);
  unfinished.read(1);
  const active = deployed && { workflow, version: 1, plan: deployed, planHash: new Uint8Array(32) };
  const owner = {
    ...ports,
    layouts,
    log: ports.logOf(0),
    workflows: { active: () => Promise.resolve(active), refresh: () => Promise.resolve() },
    limits: { ...noLimits, payloadBytesMax: 10 },
    now: Date.now,
    logger: silent,
    signal: AbortSignal.timeout(20_000),
    fail: (error: unknown) => {
      throw error;
    },
    roomAgain: () => undefined,
    unfinished,
  } as Partial<Ownership> as Ownership;
  const run = toResidentRun(runId, 0);
  return {
    run,
    /** Resolves when all of it is durable. */
    carryOut: async (...commands: readonly (StartChild | StopChild)[]) => {
      for (const command of commands) execute(owner, run, command, carry);
      await expect.poll(() => unfinished.checkpoint(), { timeout: 10_000, interval: 5 }).toBe(1);
      expect(run.unacked).toBe(0);
      expect(run.chains?.size ?? 0).toBe(0);
    },
    carryOutAgain: async (command: StartChild) => {
      execute(owner, run, command, { ...carry, recheck: true });
      await expect.poll(() => unfinished.checkpoint(), { timeout: 10_000, interval: 5 }).toBe(1);
    },
  };
}

async function eventsOf({ ports }: Orchestrator, runId: RunId): Promise<readonly NonNullable<Event["kind"]>[]> {
  const messages = await ports.logOf(0).load(runId);
  return messages.flatMap(({ data }) => Event.decode(data).kind ?? []);
}

async function kindsOf(orchestrator: Orchestrator, runId: RunId): Promise<readonly string[]> {
  return (await eventsOf(orchestrator, runId)).map(({ $case }) => $case);
}

const parent = parseRunId("01a1fd89a9fb00000000000000000001");
assert(parent !== undefined);
const child = childRunId(parent, at.step, at.generation);

async function open(url: string): Promise<Orchestrator> {
  return openOrchestrator(url, plan, { over: { ownsPartitions: false } });
}

test("a start says who started it, is the same from any owner, and tells the parent only when nobody waits", async () => {
  await using server = await startNats();
  await using orchestrator = await open(server.url);
  await makeOwner(orchestrator, parent, plan).carryOut(start);
  await makeOwner(orchestrator, parent, plan).carryOut(start);
  const [first, ...more] = await eventsOf(orchestrator, child);
  expect(more).toEqual([]);
  expect(first).toMatchObject({ $case: "runStarted", value: { workflow, parent: { step: "ship", generation: 0 } } });
  expect(await kindsOf(orchestrator, parent)).toEqual([]);
  const detached = { ...start, at: { step: "other", generation: 0 }, detach: true };
  await makeOwner(orchestrator, parent, plan).carryOut(detached);
  await makeOwner(orchestrator, parent, plan).carryOut(detached);
  const other = childRunId(parent, "other", 0);
  expect(await kindsOf(orchestrator, other)).toEqual(["runStarted"]);
  expect(await eventsOf(orchestrator, parent)).toMatchObject([
    { $case: "childStarted", value: { step: detached.at, runId: Buffer.from(fromHex(other)) } },
  ]);
});

test("what was decided first stands, whatever is deployed when it is carried out again", async () => {
  await using server = await startNats();
  await using orchestrator = await open(server.url);
  await makeOwner(orchestrator, parent, plan).carryOut(start);
  await makeOwner(orchestrator, parent, undefined).carryOut(start);
  await makeOwner(orchestrator, parent, undefined).carryOutAgain(start);
  expect(await kindsOf(orchestrator, child)).toEqual(["runStarted"]);
  expect(await kindsOf(orchestrator, parent)).toEqual([]);
  const later = { ...start, at: { step: "later", generation: 0 } };
  await makeOwner(orchestrator, parent, undefined).carryOut(later);
  await makeOwner(orchestrator, parent, plan).carryOut(later);
  expect(await kindsOf(orchestrator, childRunId(parent, "later", 0))).toEqual(["childRefused"]);
  const refusals = await eventsOf(orchestrator, parent);
  expect(refusals).toMatchObject([
    { $case: "childRefused", value: { step: later.at, status: { code: code.NOT_FOUND } } },
  ]);
});

test.each([
  ["a request over the limit", { request: new Uint8Array(11) }, code.RESOURCE_EXHAUSTED],
  ["a request of another type", { request: new Uint8Array([0x0a, 0x05, 0x01]) }, code.INVALID_ARGUMENT],
  ["an empty key", { key: "" }, code.INVALID_ARGUMENT],
  ["a key that another run has", { key: "taken" }, code.ALREADY_EXISTS],
] as const)("%s refuses the child", async (_what, over, number) => {
  await using server = await startNats();
  await using orchestrator = await open(server.url);
  await orchestrator.begin(plan, "taken");
  await makeOwner(orchestrator, parent, plan).carryOut({ ...start, ...over });
  expect(await kindsOf(orchestrator, child)).toEqual(["childRefused"]);
  expect(await eventsOf(orchestrator, parent)).toMatchObject([{ value: { status: { code: number } } }]);
});

test("a child with a key holds it, however often it is started", async () => {
  await using server = await startNats();
  await using orchestrator = await open(server.url);
  const keyed = { ...start, key: "mine" };
  await makeOwner(orchestrator, parent, plan).carryOut(keyed);
  await makeOwner(orchestrator, parent, plan).carryOutAgain(keyed);
  expect(await kindsOf(orchestrator, child)).toEqual(["runStarted"]);
  expect(await orchestrator.start(plan, { key: "mine", request: "x" })).toEqual({ kind: "conflict", runId: child });
});

test("a stop follows its start, and is one however often it is asked for", async () => {
  await using server = await startNats();
  await using orchestrator = await open(server.url);
  await makeOwner(orchestrator, parent, plan).carryOut(start, stop, { ...stop, how: "terminate" });
  await makeOwner(orchestrator, parent, plan).carryOut(stop);
  expect(await kindsOf(orchestrator, child)).toEqual(["runStarted", "cancelRequested", "terminateRequested"]);
});

test("a child that is stopped before it was started never is", async () => {
  await using server = await startNats();
  await using orchestrator = await open(server.url);
  await makeOwner(orchestrator, parent, plan).carryOut(stop);
  await makeOwner(orchestrator, parent, plan).carryOut(start);
  expect(await kindsOf(orchestrator, child)).toEqual(["childRefused"]);
  expect(await eventsOf(orchestrator, parent)).toMatchObject([
    { $case: "childRefused", value: { status: { code: code.CANCELLED, message: "no more" } } },
  ]);
});
