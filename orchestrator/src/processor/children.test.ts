import assert from "node:assert/strict";
import { expect, test } from "vitest";
import { Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { RunEnded } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import { childRunId } from "../../../proto/wire/childRunId.ts";
import { bucketOf } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { code } from "../../../proto/wire/status.ts";
import { startNats } from "../../../test/support/nats.ts";
import {
  endsOfRuns,
  makeCall,
  makePlan,
  makeRun,
  makeText,
  makeWait,
  openFakeSidecar,
  openOrchestrator,
} from "../../../test/support/orchestrators.ts";
import type { Orchestrator } from "../../../test/support/orchestrators.ts";

const partitions = 2;
const within = (): AbortSignal => AbortSignal.timeout(25_000);
const stop = { reason: "test", actor: "", requestId: "" };
const childFlow = "test.v1.Flows/Child";
const child = makePlan([makeCall("pick"), makeCall("pack")], childFlow);
const slowChild = makePlan([makeWait("long", 3_600_000)], childFlow);
const parent = makePlan([makeCall("before"), makeRun("ship", childFlow), makeCall("after")]);

async function endOf({ processor }: Orchestrator, runId: RunId): Promise<RunEnded> {
  const waited = await processor.front.wait(runId, within());
  assert(waited.kind === "ended", `no end but ${waited.kind}`);
  return waited.ended;
}

/** Starts a parent whose child is in the other partition. */
async function beginApart(orchestrator: Orchestrator, plan = parent): Promise<{ parent: RunId; child: RunId }> {
  for (;;) {
    const parentId = await orchestrator.begin(plan);
    const childId = childRunId(parentId, "ship", 0);
    if (bucketOf(parentId) % partitions !== bucketOf(childId) % partitions) return { parent: parentId, child: childId };
  }
}

/** Resolves when a run's log has an event of this kind. */
async function happened({ ports }: Orchestrator, runId: RunId, $case: NonNullable<Event["kind"]>["$case"]) {
  const log = ports.logOf(bucketOf(runId) % partitions);
  const kinds = async () =>
    (await log.load(runId)).flatMap(({ subject, data }) =>
      subject.endsWith(".e") ? [Event.decode(data).kind?.$case] : [],
    );
  await expect.poll(kinds, { timeout: 20_000, interval: 20 }).toContain($case);
}

test("a step waits for the run that it starts, in another partition too, and for that run's own", async () => {
  await using server = await startNats();
  const grandChild = makePlan([makeCall("deep")], "test.v1.Flows/Deep");
  const middle = makePlan([makeRun("ship", "test.v1.Flows/Deep"), makeCall("pack")], childFlow);
  await using orchestrator = await openOrchestrator(server.url, [parent, middle, grandChild], { partitions });
  await using sidecar = await openFakeSidecar(server.url);
  const ids = await beginApart(orchestrator);
  expect(await endOf(orchestrator, ids.parent)).toMatchObject({ state: Run_State.COMPLETED });
  expect(await endOf(orchestrator, ids.child)).toMatchObject({ state: Run_State.COMPLETED });
  const deepest = childRunId(ids.child, "ship", 0);
  expect(await endOf(orchestrator, deepest)).toMatchObject({ state: Run_State.COMPLETED });
  const steps = [`${ids.parent}/before`, `${deepest}/deep`, `${ids.child}/pack`, `${ids.parent}/after`];
  const made = sidecar.calls.filter((key) => steps.some((step) => key.startsWith(`${step}/`)));
  expect(made.map((key) => key.split("/").slice(0, 2).join("/"))).toEqual(steps);
});

test("a child that fails, and one that is cancelled by itself, fails its step with the same status", async () => {
  await using server = await startNats();
  const failing = makePlan([makeCall("refused")], childFlow);
  const waiting = makePlan([makeRun("ship", "test.v1.Flows/Slow")], "test.v1.Flows/Waiting");
  const slow = makePlan([makeWait("long", 3_600_000)], "test.v1.Flows/Slow");
  await using orchestrator = await openOrchestrator(server.url, [parent, failing, waiting, slow], { partitions });
  await using _sidecar = await openFakeSidecar(server.url, ({ attempt }) =>
    attempt?.step === "refused" ? { code: code.FAILED_PRECONDITION } : "complete",
  );
  const ids = await beginApart(orchestrator);
  expect(await endOf(orchestrator, ids.parent)).toMatchObject({
    state: Run_State.FAILED,
    step: "ship",
    status: { code: code.FAILED_PRECONDITION, message: "no" },
  });
  const other = await beginApart(orchestrator, waiting);
  await happened(orchestrator, other.child, "runStarted");
  await orchestrator.processor.front.request(other.child, { kind: "cancel", event: stop }, within());
  expect(await endOf(orchestrator, other.parent)).toMatchObject({
    state: Run_State.FAILED,
    status: { code: code.CANCELLED },
  });
});

test("a run that is cancelled cancels its child and waits for that; one that is terminated takes it along", async () => {
  await using server = await startNats();
  await using orchestrator = await openOrchestrator(server.url, [parent, slowChild], { partitions });
  await using _sidecar = await openFakeSidecar(server.url);
  for (const [kind, state] of [
    ["cancel", Run_State.CANCELLED],
    ["terminate", Run_State.TERMINATED],
  ] as const) {
    const ids = await beginApart(orchestrator);
    await happened(orchestrator, ids.child, "runStarted");
    await orchestrator.processor.front.request(ids.parent, { kind, event: stop }, within());
    expect(await endOf(orchestrator, ids.parent)).toMatchObject({ state });
    expect(await endOf(orchestrator, ids.child)).toMatchObject({ state });
  }
});

test("a child that can't be started fails its step: unknown workflow, held key, empty key", async () => {
  await using server = await startNats();
  const { workflow } = slowChild.plan;
  const plans = [
    makePlan([makeRun("ship", "test.v1.Flows/Nothing")], "test.v1.Flows/Unknown"),
    makePlan([makeRun("ship", workflow, { key: makeText("order 1") })], "test.v1.Flows/Keyed"),
    makePlan([makeRun("ship", workflow, { key: makeText("") })], "test.v1.Flows/Keyless"),
  ] as const;
  await using orchestrator = await openOrchestrator(server.url, [slowChild, ...plans], { partitions });
  const holder = await orchestrator.begin(slowChild, "order 1");
  const [unknown, keyed, keyless] = await Promise.all(
    plans.map(async (plan) => endOf(orchestrator, await orchestrator.begin(plan))),
  );
  expect(unknown).toMatchObject({ state: Run_State.FAILED, step: "ship", status: { code: code.NOT_FOUND } });
  expect(keyed?.status).toMatchObject({
    code: code.ALREADY_EXISTS,
    message: `the key belongs to run ${holder}`,
    details: [{ typeUrl: "type.googleapis.com/google.rpc.ErrorInfo" }],
  });
  expect(keyless?.status).toMatchObject({ code: code.INVALID_ARGUMENT });
});

test("a detached child lives on its own", async () => {
  await using server = await startNats();
  const detaching = makePlan([makeRun("ship", childFlow, { detach: true })]);
  await using orchestrator = await openOrchestrator(server.url, [detaching, slowChild], { partitions });
  const ids = await beginApart(orchestrator, detaching);
  expect(await endOf(orchestrator, ids.parent)).toMatchObject({ state: Run_State.COMPLETED });
  await happened(orchestrator, ids.parent, "childStarted");
  const { front } = orchestrator.processor;
  expect(await front.get(ids.child)).toMatchObject({ kind: "run", run: { state: Run_State.RUNNING } });
  await front.request(ids.child, { kind: "cancel", event: stop }, within());
  expect(await endOf(orchestrator, ids.child)).toMatchObject({ state: Run_State.CANCELLED });
});

const killing = { silenceMs: 1000 };

test.each([
  ["parent", "parent", "runStarted"],
  ["parent", "child", "runStarted"],
  ["child", "child", "runStarted"],
  ["child", "child", "runEnded"],
  ["parent", "child", "runEnded"],
  ["parent", "parent", "childEnded"],
] as const)(
  "an owner of the %s that dies when the %s's log has %s delays a run and its child, and no more",
  async (whose, where, event) => {
    await using server = await startNats();
    const quick = makePlan([makeRun("ship", childFlow), makeCall("after")]);
    const plans = [quick, child];
    const over = { bounds: killing };
    await using door = await openOrchestrator(server.url, plans, { partitions, over: { ownsPartitions: false } });
    await using sidecar = await openFakeSidecar(server.url);
    const owners = [
      await openOrchestrator(server.url, plans, { partitions, owns: [0], over }),
      await openOrchestrator(server.url, plans, { partitions, owns: [1], over }),
    ];
    const ids = await beginApart(door, quick);
    await happened(door, ids[where], event);
    const partition = bucketOf(ids[whose]) % partitions;
    await owners[partition]?.kill();
    await using _successor = await openOrchestrator(server.url, plans, { partitions, owns: [partition], over });
    expect(await endOf(door, ids.parent)).toMatchObject({ state: Run_State.COMPLETED });
    expect(await endOf(door, ids.child)).toMatchObject({ state: Run_State.COMPLETED });
    const ends = await endsOfRuns(server.url, partitions);
    expect([ends.get(ids.parent), ends.get(ids.child)]).toEqual([1, 1]);
    expect(new Set(sidecar.calls).size).toBe(sidecar.calls.length);
    for (const owner of owners) await owner[Symbol.asyncDispose]();
  },
);
