import { expect, test } from "vitest";
import { startNats } from "../../../test/support/nats.ts";
import {
  makeCall,
  makePlan,
  makeWait,
  openFakeSidecar,
  openOrchestrator,
} from "../../../test/support/orchestrators.ts";

const oneCall = makePlan([makeCall("first")]);
const within = (): AbortSignal => AbortSignal.timeout(20_000);

test("a run of one call starts, is worked on and ends", async () => {
  await using server = await startNats();
  await using orchestrator = await openOrchestrator(server.url, oneCall);
  await using sidecar = await openFakeSidecar(server.url);
  const runId = await orchestrator.begin(oneCall);
  const end = await orchestrator.processor.front.wait(runId, within());
  expect(end).toMatchObject({ kind: "ended", ended: { step: "" } });
  expect(sidecar.calls).toHaveLength(1);
});

test("a failed attempt is tried again after a pause that is kept in memory", async () => {
  await using server = await startNats();
  await using orchestrator = await openOrchestrator(server.url, oneCall);
  await using sidecar = await openFakeSidecar(server.url, (task) =>
    task.attempt?.attempt === 1 ? { code: 14 } : "complete",
  );
  const runId = await orchestrator.begin(oneCall);
  expect(await orchestrator.processor.front.wait(runId, within())).toMatchObject({ kind: "ended" });
  expect(sidecar.calls).toHaveLength(2);
});

test("a wait of more than two seconds fires through the timer stream", async () => {
  await using server = await startNats();
  const plan = makePlan([makeWait("pause", 2500), makeCall("then")]);
  await using orchestrator = await openOrchestrator(server.url, plan);
  await using sidecar = await openFakeSidecar(server.url);
  const runId = await orchestrator.begin(plan);
  expect(await orchestrator.processor.front.wait(runId, within())).toMatchObject({ kind: "ended" });
  expect(sidecar.calls).toHaveLength(1);
});

test("two hundred runs over four partitions all end", async () => {
  await using server = await startNats();
  const plan = makePlan([makeCall("a"), makeCall("b"), makeCall("c")]);
  await using orchestrator = await openOrchestrator(server.url, plan, { partitions: 4 });
  await using sidecar = await openFakeSidecar(server.url);
  const ends = await Promise.all(
    Array.from({ length: 200 }, async () =>
      orchestrator.processor.front.wait(await orchestrator.begin(plan), within()),
    ),
  );
  expect(ends.every(({ kind }) => kind === "ended")).toBe(true);
  expect(new Set(sidecar.calls).size).toBe(600);
  expect(sidecar.calls).toHaveLength(600);
});
