import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "vitest";
import { startNats } from "../../../test/support/nats.ts";
import {
  endsOfRuns,
  makeCall,
  makePlan,
  makeWait,
  openFakeSidecar,
  openOrchestrator,
} from "../../../test/support/orchestrators.ts";

const plan = makePlan([makeCall("a"), makeWait("pause", 500), makeCall("b")]);

test("while nats-server stands still starts are refused within their deadline; then everything goes on by itself", async () => {
  await using server = await startNats();
  await using orchestrator = await openOrchestrator(server.url, plan);
  await using sidecar = await openFakeSidecar(server.url);
  const { front } = orchestrator.processor;
  const runs = await Promise.all(Array.from({ length: 20 }, () => orchestrator.begin(plan)));
  await sidecar.called(20);
  server.pause();
  // The signal takes a moment to stop it.
  const { connection } = orchestrator.nats;
  const isSilent = (): Promise<boolean> => Promise.race([connection.rtt().then(() => false), pause(200, true)]);
  await expect.poll(isSilent).toBe(true);
  const { kind } = await front.start(
    {
      active: { workflow: plan.plan.workflow, version: 1, plan, planHash: new Uint8Array(32).fill(7) },
      request: new Uint8Array(),
      metadata: new Map(),
      idempotencyKey: undefined,
      trace: () => ({ traceId: new Uint8Array(16), parentSpanId: new Uint8Array(), sampled: false, tracestate: "" }),
      actor: "",
    },
    AbortSignal.timeout(1000),
  );
  expect(kind).toBe("unavailable");
  server.resume();
  const ends = await Promise.all(runs.map((runId) => front.wait(runId, AbortSignal.timeout(25_000))));
  expect(new Set(ends.map((end) => end.kind))).toEqual(new Set(["ended"]));
  const inLog = await endsOfRuns(server.url, 1);
  expect(runs.map((runId) => inLog.get(runId))).toEqual(runs.map(() => 1));
  expect(sidecar.calls.length).toBe(new Set(sidecar.calls).size);
  expect(orchestrator.processor.counts.takeovers).toBe(1);
});

test("an owner outlives a restart of nats-server without being taken over", async () => {
  await using server = await startNats();
  await using orchestrator = await openOrchestrator(server.url, plan);
  await using other = await openOrchestrator(server.url, plan);
  await using sidecar = await openFakeSidecar(server.url);
  await expect
    .poll(() => orchestrator.processor.owned().length + other.processor.owned().length, { timeout: 5000 })
    .toBe(1);
  const runs = await Promise.all(Array.from({ length: 20 }, () => orchestrator.begin(plan)));
  await sidecar.called(10);
  await server.kill9();
  await server.restart();
  const ends = await Promise.all(runs.map((runId) => other.processor.front.wait(runId, AbortSignal.timeout(25_000))));
  expect(new Set(ends.map((end) => end.kind))).toEqual(new Set(["ended"]));
  expect(sidecar.calls.length).toBe(new Set(sidecar.calls).size);
  expect(orchestrator.processor.counts.takeovers + other.processor.counts.takeovers).toBe(1);
});
