import assert from "node:assert/strict";
import { expect, test } from "vitest";
import { AskReply_Verdict } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { Task } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { startNats } from "../../../test/support/nats.ts";
import {
  ask,
  makeCall,
  makePlan,
  makeWait,
  names,
  openFakeSidecar,
  openOrchestrator,
  service,
} from "../../../test/support/orchestrators.ts";
import type { Orchestrator } from "../../../test/support/orchestrators.ts";
import { askJetStream } from "../nats/jetstream.ts";
import { deleteAsked } from "./deletion.ts";
import { fakeStops } from "./testing/stops.ts";
import type { Bounds } from "./ownership.ts";

const patience = { timeout: 15_000, interval: 30 };
const within = (): AbortSignal => AbortSignal.timeout(20_000);
const plan = makePlan([makeCall("a")]);
/** Time is marked ten times in the retention; the lease tells of the checkpoint each second. */
const soon: Partial<Bounds> = { retentionMs: 5_000, endedIdleMs: 0, idleMs: 200, sweepEveryMs: 50, silenceMs: 1000 };

/** Everything that NATS has under the id of a run. */
async function leftOf({ nats }: Orchestrator, runId: RunId): Promise<readonly string[]> {
  const streams: readonly (readonly [stream: string, filter: string])[] = [
    [names.logStream(0), names.runSubjects(0, runId)],
    [names.timersStream, names.timersOfRun(0, runId)],
    [names.timersStream, names.dueSubject(0, runId)],
    [names.payloadsStream, names.payloadsOfRun(runId)],
  ];
  const found = await Promise.all(
    streams.map(async ([stream, filter]) => {
      const { state } = await askJetStream(nats.connection, `STREAM.INFO.${stream}`, { subjects_filter: filter });
      return Object.entries(state?.subjects ?? {}).map(([subject, count]) => `${subject} ${count}`);
    }),
  );
  return found.flat();
}

/** The request itself. */
const onlyRequest = (runId: RunId): readonly string[] => [`${names.runSubjects(0, runId).replace("*", "e")} 1`];

const remove = (orchestrator: Orchestrator, runId: RunId) =>
  orchestrator.processor.front.request(
    runId,
    { kind: "delete", event: { reason: "asked to forget", actor: "ann", requestId: "" } },
    within(),
  );

test("an ended run is deleted when somebody asks: unknown at once, gone but for the request soon, its key free; one that lives is not", async () => {
  await using server = await startNats();
  const slow = makePlan([makeWait("long", 3_600_000)], "test.v1.Flows/Slow");
  await using orchestrator = await openOrchestrator(server.url, [plan, slow], { over: { bounds: soon } });
  const tasks: Task[] = [];
  await using _sidecar = await openFakeSidecar(server.url, (task) => {
    tasks.push(task);
    return "complete";
  });
  const { front, counts } = orchestrator.processor;
  const alive = await orchestrator.begin(slow);
  const runId = await orchestrator.begin(plan, "k");
  await orchestrator.ports.payloads.put(service, runId, new Uint8Array(700_000), within());
  const timer = { partition: 0, runId, name: 99 };
  await orchestrator.ports.timers.arm(timer, Date.now() + 3_600_000, new Uint8Array(), { signal: within() });
  expect((await front.wait(runId, within())).kind).toBe("ended");
  // What is in memory here is what the log says.
  expect(await front.look(alive)).toEqual(await front.get(alive));
  expect(await remove(orchestrator, alive)).toEqual({ kind: "done", ignored: true, refusal: "" });
  expect(await remove(orchestrator, runId)).toEqual({ kind: "done", ignored: false, refusal: "" });
  expect(await front.get(runId)).toEqual({ kind: "unknown" });
  expect(await front.look(runId)).toEqual({ kind: "unknown" });
  expect(await front.history(runId, 0, 10)).toEqual({ kind: "unknown" });
  await expect.poll(() => leftOf(orchestrator, runId), patience).toEqual(onlyRequest(runId));
  await expect.poll(() => counts.deletions, patience).toBe(1);
  expect(await remove(orchestrator, runId)).toEqual({ kind: "unknown" });
  const [task] = tasks;
  assert(task !== undefined);
  // Whoever still has a task of it stops.
  expect(await ask(orchestrator.nats, "late", task, 2)).toBe(AskReply_Verdict.CLOSED);
  const again = await orchestrator.start(plan, { key: "k" });
  expect(again).toMatchObject({ kind: "started" });
  expect(again).not.toMatchObject({ runId });
  expect(await front.get(alive)).toMatchObject({ kind: "run" });
  // The request goes as any run does, and with its time.
  await expect.poll(() => leftOf(orchestrator, runId), patience).toEqual([]);
});

test("a deletion that was asked for and stops before or after any of its requests is done by the next owner", async () => {
  await using server = await startNats();
  const nothingTraced = { opened: () => undefined, turn: () => undefined, closed: () => undefined };
  const observer = { ...nothingTraced, tracedUpTo: () => 0 };
  const first = await openOrchestrator(server.url, plan, { over: { bounds: soon, observer } });
  await using _sidecar = await openFakeSidecar(server.url);
  const runs: RunId[] = [];
  for (let at = 0; ; at++) {
    const runId = await first.begin(plan, `k${at}`);
    runs.push(runId);
    expect((await first.processor.front.wait(runId, within())).kind).toBe("ended");
    expect(await remove(first, runId)).toMatchObject({ ignored: false });
    const { event } = await first.ports.logOf(0).positions(runId);
    const { ground, seen } = fakeStops(first.ports, at);
    await deleteAsked(ground, runId, event).catch(() => undefined);
    expect(await first.processor.front.get(runId)).toEqual({ kind: "unknown" });
    if (!seen.met) break;
  }
  // First event, key, its record, timers, history, payloads.
  expect(runs).toHaveLength(13);
  const { leases } = first.ports;
  // The checkpoint is behind all of them.
  const { event: last } = await first.ports.logOf(0).positions(runs.at(-1) ?? ("" as RunId));
  await expect.poll(async () => (await leases.read(0))?.lease.checkpoint, patience).toBeGreaterThanOrEqual(last);
  await first.kill();
  // It keeps runs for long: only what was asked for goes.
  await using next = await openOrchestrator(server.url, plan, { over: { bounds: { ...soon, retentionMs: 20_000 } } });
  const left = async () => (await Promise.all(runs.map((runId) => leftOf(next, runId)))).flat();
  await expect.poll(left, patience).toEqual(runs.flatMap(onlyRequest));
  await expect.poll(async () => (await next.ports.leases.read(0))?.lease.deleting, patience).toBe(0);
});
