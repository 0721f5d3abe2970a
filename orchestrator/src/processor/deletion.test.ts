import assert from "node:assert/strict";
import { expect, test } from "vitest";
import { Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import { AskReply_Verdict } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { Task } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { childRunId } from "../../../proto/wire/childRunId.ts";
import { lockId } from "../../../proto/wire/lockId.ts";
import { bucketOf, parseRunId } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { silentLog } from "../../../runtime/src/log.ts";
import { openPublisher } from "../../../runtime/src/publisher.ts";
import { startNats } from "../../../test/support/nats.ts";
import {
  ask,
  makeCall,
  makePlan,
  makeRun,
  makeText,
  makeWait,
  names,
  openFakeSidecar,
  openOrchestrator,
  service,
  timersLeft,
} from "../../../test/support/orchestrators.ts";
import type { Orchestrator } from "../../../test/support/orchestrators.ts";
import type { LoadedPlan } from "../engine/plan.ts";
import { askJetStream } from "../nats/jetstream.ts";
import { deleteRun } from "./deletion.ts";
import { fakeStops } from "./testing/stops.ts";
import { zeroCounts } from "./ownership.ts";
import type { Bounds, Ground } from "./ownership.ts";
import { openRetention } from "./retention.ts";

const partitions = 2;
const patience = { timeout: 15_000, interval: 30 };
const within = (): AbortSignal => AbortSignal.timeout(20_000);
const plan = makePlan([makeCall("a"), makeCall("b")]);
/** Ended runs are kept for 0.3 s; the lease tells of the checkpoint each second. */
const soon: Partial<Bounds> = { retentionMs: 300, endedIdleMs: 0, idleMs: 200, sweepEveryMs: 50, silenceMs: 1000 };
const placeOf = (id: RunId): number => bucketOf(id) % partitions;

/** A timer that fires once more. */
const lateEvent = Event.encode({ kind: { $case: "timerFired", value: { number: 1, dueMs: 0 } } }).finish();

/** Everything that NATS has under the id of a run, by stream. */
async function leftOf({ nats }: Orchestrator, runId: RunId, place = placeOf(runId)): Promise<readonly string[]> {
  const streams: readonly (readonly [stream: string, filter: string])[] = [
    [names.logStream(place), names.runSubjects(place, runId)],
    [names.timersStream, names.timersOfRun(place, runId)],
    [names.timersStream, names.dueSubject(place, runId)],
    [names.payloadsStream, names.payloadsOfRun(runId)],
  ];
  const found = await Promise.all(
    streams.map(async ([stream, filter]) => {
      const { state } = await askJetStream(nats.connection, `STREAM.INFO.${stream}`, { subjects_filter: filter });
      return Object.keys(state?.subjects ?? {});
    }),
  );
  return found.flat();
}

/** Subjects of all keys that are held. */
async function keysLeft({ nats }: Orchestrator): Promise<readonly string[]> {
  const verb = `STREAM.INFO.KV_${names.keysBucket}`;
  const { state } = await askJetStream(nats.connection, verb, { subjects_filter: ">" });
  return Object.keys(state?.subjects ?? {});
}

async function finish(orchestrator: Orchestrator, runId: RunId): Promise<void> {
  expect((await orchestrator.processor.front.wait(runId, within())).kind).toBe("ended");
}

test("an ended run is deleted after its retention with all that it had; runs that live stay, and its key starts another", async () => {
  await using server = await startNats();
  const slow = makePlan([makeWait("long", 3_600_000)], "test.v1.Flows/Slow");
  await using orchestrator = await openOrchestrator(server.url, [plan, slow], { partitions, over: { bounds: soon } });
  await using sidecar = await openFakeSidecar(server.url);
  const { front, counts } = orchestrator.processor;
  const alive = await orchestrator.begin(slow, "alive");
  const runId = await orchestrator.begin(plan, "k");
  // As a sidecar leaves an answer that is too large, and a timer that nobody cancelled.
  await orchestrator.ports.payloads.put(service, runId, new Uint8Array(700_000), within());
  const timer = { partition: placeOf(runId), runId, name: 99 };
  await orchestrator.ports.timers.arm(timer, Date.now() + 3_600_000, new Uint8Array(), { signal: within() });
  await finish(orchestrator, runId);
  expect(await orchestrator.start(plan, { key: "k" })).toEqual({ kind: "joined", runId });
  expect(await leftOf(orchestrator, runId)).toHaveLength(5);
  await expect.poll(() => leftOf(orchestrator, runId), patience).toEqual([]);
  expect(await keysLeft(orchestrator)).toHaveLength(1);
  await expect.poll(() => counts.deletions, patience).toBe(1);
  expect((await timersLeft(server.url)).filter((subject) => subject.includes(runId))).toEqual([]);

  expect(await front.get(runId)).toEqual({ kind: "unknown" });
  expect(await front.wait(runId, within())).toEqual({ kind: "unknown" });
  const event = { name: "s", payload: new Uint8Array(), requestId: "1", actor: "" };
  expect(await front.request(runId, { kind: "signal", event }, within())).toEqual({ kind: "unknown" });
  const again = await orchestrator.start(plan, { key: "k" });
  expect(again).toMatchObject({ kind: "started" });
  expect(again).not.toMatchObject({ runId });
  if (again.kind === "started") await finish(orchestrator, again.runId);
  expect(sidecar.calls).toHaveLength(4);
  expect(await front.get(alive)).toMatchObject({ kind: "run" });
  expect(await orchestrator.start(slow, { key: "alive" })).toEqual({ kind: "joined", runId: alive });
});

test("a deletion that stops before or after any of its requests leaves a run that has ended or none, and is done by the next owner", async () => {
  await using server = await startNats();
  await using first = await openOrchestrator(server.url, plan, { over: { bounds: { ...soon, retentionMs: 0 } } });
  await using _sidecar = await openFakeSidecar(server.url);
  const { front } = first.processor;
  const runs: RunId[] = [];
  for (let at = 0; ; at++) {
    const runId = await first.begin(plan, `k${at}`);
    runs.push(runId);
    await first.ports.payloads.put(service, runId, new Uint8Array(10), within());
    await finish(first, runId);
    const { event, outcome } = await first.ports.logOf(0).positions(runId);
    const { ground, seen } = fakeStops(first.ports, at);
    const run = { runId, first: 0, last: Math.max(event, outcome), start: undefined, endedAt: event };
    const outside = { hasTimers: () => true, hasPayloads: () => true };
    await deleteRun(ground, run, outside).catch(() => undefined);
    const found = await front.get(runId);
    expect(found.kind === "run" ? found.run.state : found.kind).toBeOneOf([Run_State.COMPLETED, "unknown"]);
    if (!seen.met) break;
  }
  // First event, key, its record, timers, history, payloads, end.
  expect(runs).toHaveLength(15);
  await first[Symbol.asyncDispose]();
  await using next = await openOrchestrator(server.url, plan, { over: { bounds: soon } });
  const left = async () => (await Promise.all(runs.map((runId) => leftOf(next, runId, 0)))).flat();
  await expect.poll(left, patience).toEqual([]);
  expect(await keysLeft(next)).toEqual([]);
});

test("a cut of the log's head that stops before or after any of its requests leaves runs that have ended or none, and is done by the next owner", async () => {
  await using server = await startNats();
  await using first = await openOrchestrator(server.url, plan, { over: { bounds: { ...soon, retentionMs: 0 } } });
  await using _sidecar = await openFakeSidecar(server.url);
  const { front } = first.processor;
  const { logOf, payloads, timers } = first.ports;
  const runs: RunId[] = [];
  for (let at = 0; ; at++) {
    const some = [await first.begin(plan, `a${at}`), await first.begin(plan, `b${at}`)] as const;
    runs.push(...some);
    await payloads.put(service, some[1], new Uint8Array(10), within());
    const timer = { partition: 0, runId: some[1], name: 99 };
    await timers.arm(timer, Date.now() + 3_600_000, new Uint8Array(), { signal: within() });
    for (const runId of some) await finish(first, runId);
    const isStopped = await sweepOnce(first, at);
    for (const runId of some) {
      const found = await front.get(runId);
      expect(found.kind === "run" ? found.run.state : found.kind).toBeOneOf([Run_State.COMPLETED, "unknown"]);
    }
    await sweepOnce(first, Infinity);
    for (const runId of some) expect(await leftOf(first, runId, 0)).toEqual([]);
    expect(await keysLeft(first)).toEqual([]);
    // Whoever asks reads there who owns the partition.
    expect((await logOf(0).positions(some[0])).ownerEpoch).toBe(1);
    if (!isStopped) break;
  }
  // Of each run the key and its record; of one timers, history, payloads; the owner's record, the head.
  expect(runs).toHaveLength(2 * 19);
  await first.kill();
  await using later = await openOrchestrator(server.url, plan, { over: { bounds: { ...soon, retentionMs: 0 } } });
  await finish(later, await later.begin(plan));
});

/** Sweeps a whole log whose runs are all due, as its owner does; the request `at` fails, if there are so many. */
async function sweepOnce({ ports }: Orchestrator, at: number): Promise<boolean> {
  const { lastSequence } = await ports.logOf(0).end();
  const { ground, seen } = fakeStops(ports, at);
  const more = { counts: zeroCounts(), clock: { now: () => Date.now() + 3_600_000 }, logger: silentLog };
  const whole = { ...ground, ...more, durable: () => lastSequence, passedMs: () => Infinity } as object as Ground;
  const retention = openRetention(whole, { retentionMs: 300, takes: () => true, hasLeftovers: true }, 0);
  for (let isMore = true; isMore;) isMore = await retention.sweep();
  return seen.met;
}

test("a run that goes on keeps all that it has, in the middle of what goes; nothing but the owner's record is left when it has ended as well", async () => {
  await using server = await startNats();
  const slow = makePlan([makeCall("a"), makeWait("long", 3_600_000)], "test.v1.Flows/Slow");
  await using orchestrator = await openOrchestrator(server.url, [plan, slow], { over: { bounds: soon } });
  await using _sidecar = await openFakeSidecar(server.url);
  const { ports, processor, nats } = orchestrator;
  const runs = [await orchestrator.begin(plan, "before")];
  const alive = await orchestrator.begin(slow, "alive");
  await expect.poll(async () => (await ports.logOf(0).load(alive)).length, patience).toBe(2);
  for (let i = 0; i < 5; i++) runs.push(await orchestrator.begin(plan, `behind${i}`));
  for (const runId of runs) await finish(orchestrator, runId);
  const whole = await ports.logOf(0).load(alive);
  const left = async () => (await Promise.all(runs.map((runId) => leftOf(orchestrator, runId, 0)))).flat();
  await expect.poll(left, patience).toEqual([]);
  expect(await ports.logOf(0).load(alive)).toEqual(whole);
  expect(await processor.front.get(alive)).toMatchObject({ kind: "run" });
  const event = { reason: "", actor: "", requestId: "" };
  await processor.front.request(alive, { kind: "terminate", event }, within());
  const subjects = async () => {
    const verb = `STREAM.INFO.${names.logStream(0)}`;
    return (await askJetStream(nats.connection, verb, { subjects_filter: ">" })).state?.subjects;
  };
  await expect.poll(subjects, patience).toEqual({ [names.ownerSubject(0)]: 1 });
  expect(await keysLeft(orchestrator)).toEqual([]);
  expect(processor.counts).toMatchObject({ deletions: 7, corruptRuns: 0 });
});

test("what comes for a run that is gone is deleted as well: events, outcomes, tasks; and the logs of locks that nobody wants", async () => {
  await using server = await startNats();
  const locked = makePlan([{ ...makeCall("take"), lock: makeText("free") }], "test.v1.Flows/Locked");
  const holding = makePlan([{ ...makeWait("hold", 3_600_000), lock: makeText("held") }], "test.v1.Flows/Holding");
  const options = { partitions, over: { bounds: soon } };
  await using orchestrator = await openOrchestrator(server.url, [plan, locked, holding], options);
  const tasks: Task[] = [];
  await using _sidecar = await openFakeSidecar(server.url, (task) => {
    tasks.push(task);
    return "complete";
  });
  await orchestrator.begin(holding);
  const runId = await orchestrator.begin(locked);
  await finish(orchestrator, runId);
  const [free, held] = ["free", "held"].map((lock) => parseRunId(lockId(orchestrator.layouts, lock)));
  assert(free !== undefined && held !== undefined);
  await expect.poll(() => leftOf(orchestrator, runId), patience).toEqual([]);
  await expect.poll(() => leftOf(orchestrator, free), patience).toEqual([]);
  expect(await leftOf(orchestrator, held)).toHaveLength(1);

  const [task] = tasks;
  assert(task !== undefined);
  const log = orchestrator.ports.logOf(placeOf(runId));
  await log.append(runId, "late", lateEvent, { signal: within() });
  const publisher = openPublisher(orchestrator.nats.connection);
  await publisher.publish(names.outSubject(service, placeOf(runId), runId), Buffer.from("late"), "");
  expect(await leftOf(orchestrator, runId)).toHaveLength(2);
  await expect.poll(() => leftOf(orchestrator, runId), patience).toEqual([]);
  await expect.poll(() => ask(orchestrator.nats, "late", task, 2), patience).toBe(AskReply_Verdict.CLOSED);
  expect(orchestrator.processor.counts).toMatchObject({ deletions: 1, corruptRuns: 0 });
  // The lock, and what came late: together, or one by one where a sweep ended between the two.
  expect(orchestrator.processor.counts.leftovers).toBeOneOf([2, 3]);
});

test("nothing is deleted that the trace has not read, nor while another partition stands still; an ended child is, and its parent goes on", async () => {
  await using server = await startNats();
  const parent = makePlan([makeRun("child", plan.plan.workflow), makeWait("wait", 3_600_000)], "test.v1.Flows/Parent");
  const traced = { isRead: false };
  const observer = {
    opened: () => undefined,
    turn: () => undefined,
    closed: () => undefined,
    tracedUpTo: (_partition: number, checkpoint: number) => (traced.isRead ? checkpoint : 0),
  };
  const open = (owns: readonly number[]) =>
    openOrchestrator(server.url, [plan, parent], { partitions, owns, over: { bounds: soon, observer } });
  await using even = await open([0]);
  const odd = await open([1]);
  const held = Promise.withResolvers<"complete">();
  await using sidecar = await openFakeSidecar(server.url, () => held.promise);
  const { parentId, childId } = await beginWith(even, parent, { parent: 1, child: 0 });
  const calls = () => sidecar.calls.filter((key) => key.startsWith(childId));
  await expect.poll(calls, patience).toHaveLength(1);
  await odd.kill();
  const { logOf, leases } = even.ports;
  // Nobody folds it now.
  await logOf(1).append(parentId, "not folded", lateEvent, { signal: within() });
  held.resolve("complete");
  await finish(even, childId);
  /** Long after the retention is over, by the lease. */
  const renewed = async (): Promise<void> => {
    const before = (await leases.read(0))?.revision ?? 0;
    await expect.poll(async () => (await leases.read(0))?.revision, patience).toBeGreaterThan(before + 1);
  };
  await renewed();
  expect(await leftOf(even, childId)).not.toEqual([]);
  traced.isRead = true;
  await renewed();
  expect(await leftOf(even, childId)).not.toEqual([]);
  await using _successor = await open([1]);
  await expect.poll(() => leftOf(even, childId), patience).toEqual([]);
  expect(calls()).toHaveLength(2);
  const found = await even.processor.front.get(parentId);
  expect(found.kind === "run" ? found.run.state : found).toBe(Run_State.RUNNING);
});

/** A parent and its child, each in the partition that is wanted. */
async function beginWith(
  orchestrator: Orchestrator,
  ofPlan: LoadedPlan,
  wanted: { readonly parent: number; readonly child: number },
): Promise<{ readonly parentId: RunId; readonly childId: RunId }> {
  for (;;) {
    const parentId = await orchestrator.begin(ofPlan);
    const childId = childRunId(parentId, "child", 0);
    if (placeOf(parentId) === wanted.parent && placeOf(childId) === wanted.child) return { parentId, childId };
  }
}
