import { jetstreamManager } from "@nats-io/jetstream";
import { expect, test } from "vitest";
import { startNats } from "../../../test/support/nats.ts";
import { makeCall, makePlan, names, openFakeSidecar, openOrchestrator } from "../../../test/support/orchestrators.ts";

const runs = 10;
const steps = 5;

test("a step costs two durable writes, a run two of its own, and neither a read", async () => {
  await using server = await startNats();
  const plan = makePlan(Array.from({ length: steps }, (_, i) => makeCall(`s${i}`)));
  await using orchestrator = await openOrchestrator(server.url, plan, { partitions: 1 });
  await using sidecar = await openFakeSidecar(server.url);
  const { front, counts } = orchestrator.processor;
  const manager = await jetstreamManager(orchestrator.nats.connection);
  const written = async (stream: string): Promise<number> => (await manager.streams.info(stream)).state.last_seq;
  for (let i = 0; i < runs; i++) {
    const runId = await orchestrator.begin(plan);
    expect(await front.wait(runId, AbortSignal.timeout(20_000))).toMatchObject({ kind: "ended" });
  }
  expect(sidecar.calls).toHaveLength(runs * steps);
  expect(await written(names.tasksStream)).toBe(runs * steps);
  const ownerRecord = 1;
  expect(await written(names.logStream(0))).toBe(ownerRecord + runs * (steps + 2));
  // Only a run that takes longer than a second has its timer written, and cancelled at its end: on a machine that stands still now and then.
  expect(await written(names.timersStream)).toBeLessThan(2 * runs);
  // Only the first run may come before its plan is known.
  expect(counts.loads).toBeLessThanOrEqual(1);
  expect(counts.asks).toBe(0);
});
