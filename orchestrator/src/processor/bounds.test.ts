import { expect, test } from "vitest";
import { Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { startNats } from "../../../test/support/nats.ts";
import {
  makeCall,
  makePlan,
  makeWait,
  openFakeSidecar,
  openOrchestrator,
} from "../../../test/support/orchestrators.ts";
import { makeStoredPlan } from "../engine/testing/plan.ts";
import { parsePlan } from "../engine/testing/script.ts";

const within = (): AbortSignal => AbortSignal.timeout(25_000);

test("a run that is idle is dropped from memory and loaded again when something comes for it", async () => {
  await using server = await startNats();
  const plan = makePlan([makeCall("a"), makeWait("pause", 2600), makeCall("b")]);
  await using orchestrator = await openOrchestrator(server.url, plan, {
    over: { bounds: { idleMs: 0, endedIdleMs: 0, sweepEveryMs: 100 } },
  });
  await using sidecar = await openFakeSidecar(server.url);
  const runs = await Promise.all(Array.from({ length: 20 }, () => orchestrator.begin(plan)));
  await sidecar.called(20);
  const { counts, front } = orchestrator.processor;
  await expect.poll(() => counts.evictions, { timeout: 2500 }).toBeGreaterThanOrEqual(20);
  const ends = await Promise.all(runs.map((runId) => front.wait(runId, within())));
  expect(ends.every(({ kind }) => kind === "ended")).toBe(true);
  expect(counts.loads).toBeGreaterThanOrEqual(20);
  expect(sidecar.calls).toHaveLength(40);
});

test("reading stops while too many events are not done, and goes on by itself", async () => {
  await using server = await startNats();
  const plan = makePlan([makeCall("a"), makeCall("b")]);
  await using orchestrator = await openOrchestrator(server.url, plan, {
    over: { bounds: { unfinishedMax: 4, waitingBytesMax: 200 } },
  });
  await using sidecar = await openFakeSidecar(server.url);
  const ends = await Promise.all(
    Array.from({ length: 60 }, async () => orchestrator.processor.front.wait(await orchestrator.begin(plan), within())),
  );
  expect(ends.every(({ kind }) => kind === "ended")).toBe(true);
  expect(sidecar.calls).toHaveLength(120);
});

test("a takeover goes through a long window part by part", async () => {
  await using server = await startNats();
  const plan = makePlan([makeCall("a"), makeCall("b")]);
  const absent = await openOrchestrator(server.url, plan, { over: { ownsPartitions: false } });
  const runs = await Promise.all(Array.from({ length: 100 }, () => absent.begin(plan)));
  await using orchestrator = await openOrchestrator(server.url, plan, { over: { bounds: { takeoverPart: 7 } } });
  await using sidecar = await openFakeSidecar(server.url);
  const ends = await Promise.all(runs.map((runId) => orchestrator.processor.front.wait(runId, within())));
  expect(ends.every(({ kind }) => kind === "ended")).toBe(true);
  expect(sidecar.calls).toHaveLength(200);
  await absent[Symbol.asyncDispose]();
});

test("a loop of many passes that wait for nothing keeps no other run waiting", async () => {
  await using server = await startNats();
  const { body } = makeStoredPlan(parsePlan(["step counted loop max=100000", "  step n let int(iteration)"]));
  const long = makePlan(body?.steps ?? [], "test.v1.Flows/Long", { stepCount: 2 });
  const plan = makePlan([makeCall("a"), makeCall("b")]);
  await using orchestrator = await openOrchestrator(server.url, [long, plan]);
  await using _sidecar = await openFakeSidecar(server.url);
  const { front, counts } = orchestrator.processor;
  const [first, other] = [await orchestrator.begin(long), await orchestrator.begin(plan)];
  const ends: RunId[] = [];
  await Promise.all(
    [first, other].map(async (runId) => {
      expect(await front.wait(runId, within())).toMatchObject({ kind: "ended", ended: { state: Run_State.COMPLETED } });
      ends.push(runId);
    }),
  );
  expect(ends).toEqual([other, first]);
  expect(counts.turns).toBeGreaterThan(10);
});

test("runs that have ended are dropped from memory at once, and what comes to them later finds them in the log", async () => {
  await using server = await startNats();
  const plan = makePlan([makeCall("a")]);
  await using orchestrator = await openOrchestrator(server.url, plan, { over: { bounds: { sweepEveryMs: 60_000 } } });
  await using sidecar = await openFakeSidecar(server.url);
  const { counts, front } = orchestrator.processor;
  const runs = await Promise.all(Array.from({ length: 20 }, () => orchestrator.begin(plan)));
  await Promise.all(runs.map((runId) => front.wait(runId, within())));
  await expect.poll(() => counts.evictions).toBe(20);
  expect(counts.loads).toBe(0);
  const again = await Promise.all(runs.map((runId) => front.wait(runId, within())));
  expect(again.every(({ kind }) => kind === "ended")).toBe(true);
  expect(counts.loads).toBe(20);
  expect(sidecar.calls).toHaveLength(20);
});
