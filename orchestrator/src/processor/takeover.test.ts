import assert from "node:assert/strict";
import { expect, test } from "vitest";
import { toLeases } from "../nats/leases.ts";
import { readRecord } from "../nats/record.ts";
import { engineRevision } from "../engine/revision.ts";
import { Member } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { toNames } from "../../../proto/wire/subjects.ts";
import { logger } from "../../../runtime/src/log.ts";
import { openPublisher } from "../../../runtime/src/publisher.ts";
import { connectTo } from "../../../test/support/connectTo.ts";
import { startNats } from "../../../test/support/nats.ts";
import {
  endsOfRuns,
  makeCall,
  makePlan,
  makeWait,
  names,
  openFakeSidecar,
  openOrchestrator,
} from "../../../test/support/orchestrators.ts";
import type { Orchestrator } from "../../../test/support/orchestrators.ts";
import { startTcpProxy } from "../../../test/support/tcpProxy.ts";

const plan = makePlan([makeCall("a"), makeWait("pause", 300), makeCall("b"), makeCall("c")]);
const partitions = 2;

async function waitForAll(orchestrator: Orchestrator, runs: readonly RunId[]): Promise<readonly string[]> {
  const ends = await Promise.all(
    runs.map((runId) => orchestrator.processor.front.wait(runId, AbortSignal.timeout(25_000))),
  );
  return ends.map(({ kind }) => kind);
}

test("a second orchestrator goes on with the runs of one that was killed, and every run ends once", async () => {
  await using server = await startNats();
  await using first = await openOrchestrator(server.url, plan, { partitions });
  await using sidecar = await openFakeSidecar(server.url);
  await using second = await openOrchestrator(server.url, plan, { partitions });
  const runs = await Promise.all(Array.from({ length: 50 }, () => first.begin(plan)));
  await sidecar.called(60);
  await first.kill();
  const kinds = await waitForAll(second, runs);
  expect(new Set(kinds)).toEqual(new Set(["ended"]));
  expect(second.processor.owned()).toEqual([0, 1]);
  const ends = await endsOfRuns(server.url, partitions);
  expect(runs.map((runId) => ends.get(runId))).toEqual(runs.map(() => 1));
  expect(sidecar.calls.length).toBe(new Set(sidecar.calls).size);
});

test("a partition that is handed over has nothing carried out twice, and nobody has to ask", async () => {
  await using server = await startNats();
  const first = await openOrchestrator(server.url, plan, { partitions });
  await using sidecar = await openFakeSidecar(server.url);
  await using second = await openOrchestrator(server.url, plan, { partitions });
  const runs = await Promise.all(Array.from({ length: 50 }, () => first.begin(plan)));
  await sidecar.called(60);
  await first[Symbol.asyncDispose]();
  const kinds = await waitForAll(second, runs);
  expect(new Set(kinds)).toEqual(new Set(["ended"]));
  expect(sidecar.calls.length).toBe(150);
  expect(new Set(sidecar.calls).size).toBe(150);
  expect(second.processor.counts.asks).toBe(0);
});

test("an owner that stood still for long and goes on doubles nothing", async () => {
  await using server = await startNats();
  await using proxy = await startTcpProxy(server.url);
  await using zombie = await openOrchestrator(proxy.url, plan, { partitions });
  await using sidecar = await openFakeSidecar(server.url);
  const runs = await Promise.all(Array.from({ length: 30 }, () => zombie.begin(plan)));
  await using second = await openOrchestrator(server.url, plan, { partitions });
  await sidecar.called(40);
  proxy.freeze();
  const kinds = await waitForAll(second, runs);
  proxy.thaw();
  expect(new Set(kinds)).toEqual(new Set(["ended"]));
  const later = await Promise.all(Array.from({ length: 10 }, () => second.begin(plan)));
  expect(new Set(await waitForAll(second, later))).toEqual(new Set(["ended"]));
  const ends = await endsOfRuns(server.url, partitions);
  expect(runs.map((runId) => ends.get(runId))).toEqual(runs.map(() => 1));
  expect(sidecar.calls.length).toBe(new Set(sidecar.calls).size);
});

test("a log that ends before the checkpoint is told loudly, and work goes on from an older one", async () => {
  await using server = await startNats();
  const first = await openOrchestrator(server.url, plan, { partitions });
  await using sidecar = await openFakeSidecar(server.url);
  const runs = await Promise.all(Array.from({ length: 4 }, () => first.begin(plan)));
  await waitForAll(first, runs);
  await first[Symbol.asyncDispose]();
  const nats = await connectTo(server.url);
  using publisher = openPublisher(nats.connection);
  const leases = toLeases(nats, names, publisher);
  for (let partition = 0; partition < partitions; partition++) {
    const found = await leases.read(partition);
    assert(found !== undefined);
    await leases.write(partition, { ...found.lease, checkpoint: 1_000_000, olderCheckpoint: 1 }, found.revision);
  }
  const lines: string[] = [];
  const loud = logger("test", { write: (line) => void lines.push(line) });
  await using second = await openOrchestrator(server.url, plan, { partitions, over: { logger: loud } });
  const later = await Promise.all(Array.from({ length: 4 }, () => second.begin(plan)));
  expect(new Set(await waitForAll(second, later))).toEqual(new Set(["ended"]));
  expect(lines.filter((line) => line.includes("LOST DATA"))).toHaveLength(partitions);
  expect(sidecar.calls.length).toBe(new Set(sidecar.calls).size);
  await nats.connection.close();
});

test("an orchestrator announces itself and what it understands, and takes its leave", async () => {
  await using server = await startNats();
  const orchestrator = await openOrchestrator(server.url, plan, { partitions });
  await using nats = await connectTo(server.url);
  const read = () => readRecord(nats, names.partitionsBucket, `member.${orchestrator.id}`);
  await expect.poll(read).toMatchObject({ isGone: false });
  const record = await read();
  expect(Member.decode(record?.value ?? new Uint8Array())).toMatchObject({
    id: orchestrator.id,
    version: "test",
    engineRevision,
  });
  await orchestrator[Symbol.asyncDispose]();
  expect(await read()).toMatchObject({ isGone: true });
});

test("who asks during a takeover for a run that ended before it is told once the takeover is over", async () => {
  await using server = await startNats();
  const first = await openOrchestrator(server.url, plan);
  await using _sidecar = await openFakeSidecar(server.url);
  const ended = await first.begin(plan);
  await waitForAll(first, [ended]);
  await first[Symbol.asyncDispose]();
  await using door = await openOrchestrator(server.url, plan, { over: { ownsPartitions: false } });
  await door.begin(plan);
  const [asked, answered] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const load = async () => {
    asked.resolve();
    await answered.promise;
    return plan;
  };
  await using second = await openOrchestrator(server.url, plan, { over: { plans: { load } } });
  await asked.promise;
  await expect.poll(() => second.processor.owned(), { timeout: 5000 }).toEqual([0]);
  const waited = waitForAll(second, [ended]);
  // Two beats are longer than a run that has just been started takes to be read.
  await beats(server.url, second.id, 2);
  answered.resolve();
  expect(await waited).toEqual(["ended"]);
});

/** Resolves when an orchestrator has given so many more signs of life. */
async function beats(url: string, orchestrator: string, count: number): Promise<void> {
  const { connection } = await connectTo(url);
  const subscription = connection.subscribe(toNames("sidestep").beatSubject(orchestrator), { max: count });
  for await (const _beat of subscription);
  await connection.close();
}
