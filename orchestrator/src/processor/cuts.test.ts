import assert from "node:assert/strict";
import { expect, test } from "vitest";
import { readFromLeader, askJetStream } from "../nats/jetstream.ts";
import type { LoadedPlan } from "../engine/plan.ts";
import { Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { Signal } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import { Failure_Origin, Outcome } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { Task } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { HistoryEvent_Kind as Kind, Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { toHex } from "../../../proto/wire/runId.ts";
import { openPublisher } from "../../../runtime/src/publisher.ts";
import { startNats } from "../../../test/support/nats.ts";
import {
  makeCall,
  makePlan,
  makeWait,
  names,
  openFakeSidecar,
  openOrchestrator,
  service,
} from "../../../test/support/orchestrators.ts";
import type { Orchestrator } from "../../../test/support/orchestrators.ts";

const calls = 60;
const plan = makePlan(Array.from({ length: calls }, (_, i) => makeCall(`s${i}`)));
const stream = names.logStream(0);

/** Summed up after some 20 records, and again after 40 more. */
function open(url: string, over: { readonly isTraced: boolean }, ofPlan: LoadedPlan = plan): Promise<Orchestrator> {
  const observer = {
    opened: () => undefined,
    turn: () => undefined,
    closed: () => undefined,
    tracedUpTo: (_partition: number, checkpoint: number) => (over.isTraced ? checkpoint : 0),
  };
  return openOrchestrator(url, ofPlan, { over: { observer, bounds: { snapshotEvery: 10 } } });
}

/** A sidecar that makes so many calls and holds the next one until `go` is called. */
function heldAt(count: number): {
  readonly tasks: Task[];
  readonly go: () => void;
  readonly behave: (task: Task) => Promise<"complete">;
} {
  const held = Promise.withResolvers<void>();
  const tasks: Task[] = [];
  return {
    tasks,
    go: held.resolve,
    behave: async (task) => {
      tasks.push(task);
      if (tasks.length > count) await held.promise;
      return "complete";
    },
  };
}

async function firstKind({ nats }: Orchestrator, runId: RunId): Promise<string | undefined> {
  const subject = names.eventSubject(0, runId);
  const first = await readFromLeader(nats.connection, stream, { kind: "first", subject });
  return first === undefined ? undefined : Event.decode(first.data).kind?.$case;
}

async function countOf({ nats }: Orchestrator, subject: string): Promise<number> {
  const { state } = await askJetStream(nats.connection, `STREAM.INFO.${stream}`, { subjects_filter: subject });
  return state?.subjects?.[subject] ?? 0;
}

async function snapshotOf({ nats }: Orchestrator, runId: RunId): Promise<number | undefined> {
  const subject = names.eventSubject(0, runId);
  const last = await readFromLeader(nats.connection, stream, { kind: "last", subject });
  const kind = last === undefined ? undefined : Event.decode(last.data).kind;
  return kind?.$case === "snapshot" ? kind.value.sequence : undefined;
}

const patience = { timeout: 15_000, interval: 50 };

async function endOf(orchestrator: Orchestrator, runId: RunId): Promise<string> {
  const { kind } = await orchestrator.processor.front.wait(runId, AbortSignal.timeout(25_000));
  return kind;
}

test(
  "the history of a long run is cut, and another owner goes on from its snapshot; its key joins it",
  { timeout: 60_000 },
  async () => {
    await using server = await startNats();
    await using first = await open(server.url, { isTraced: true });
    const { behave, go, tasks } = heldAt(30);
    await using sidecar = await openFakeSidecar(server.url, behave);
    const runId = await first.begin(plan, "k");
    await sidecar.called(31);
    await expect.poll(() => firstKind(first, runId), patience).toBe("snapshot");
    await expect.poll(() => countOf(first, names.outcomeSubject(0, runId)), patience).toBeLessThan(20);
    await expect.poll(() => first.processor.counts.cuts, patience).toBe(1);
    await first.kill();

    await using second = await open(server.url, { isTraced: true });
    go();
    expect(await endOf(second, runId)).toBe("ended");
    expect(new Set(sidecar.calls).size).toBe(calls);
    expect(sidecar.calls).toHaveLength(calls);
    expect(await second.start(plan, { key: "k" })).toEqual({ kind: "joined", runId });
    const got = await second.processor.front.get(runId);
    expect(got.kind === "run" ? got.run.steps.map(({ path }) => path) : got).toEqual(tasks.map((_, i) => `s${i}`));
    const history = await second.processor.front.history(runId, 0, 1000);
    const kinds = history.kind === "history" ? history.events.map(({ kind }) => kind) : [];
    expect(kinds).toContain(Kind.SNAPSHOT);
    expect(kinds).not.toContain(Kind.RUN_STARTED);
    expect(kinds.at(-1)).toBe(Kind.RUN_ENDED);
  },
);

test(
  "an owner that died between a snapshot and the cut leaves a run that goes on, and the next one cuts",
  { timeout: 60_000 },
  async () => {
    await using server = await startNats();
    await using first = await open(server.url, { isTraced: false });
    const { behave, go } = heldAt(30);
    await using sidecar = await openFakeSidecar(server.url, behave);
    const runId = await first.begin(plan);
    await sidecar.called(31);
    await expect.poll(() => snapshotOf(first, runId), patience).toBeDefined();
    await first.kill();

    await using second = await open(server.url, { isTraced: true });
    expect(await firstKind(second, runId)).toBe("runStarted");
    go();
    expect(await endOf(second, runId)).toBe("ended");
    expect(sidecar.calls).toHaveLength(calls);
    await expect.poll(() => firstKind(second, runId), patience).toBe("snapshot");
  },
);

test("a cut that stopped between events and outcomes is gone on with", { timeout: 60_000 }, async () => {
  await using server = await startNats();
  await using first = await open(server.url, { isTraced: false });
  const { behave, go } = heldAt(30);
  await using sidecar = await openFakeSidecar(server.url, behave);
  const runId = await first.begin(plan);
  await sidecar.called(31);
  await expect.poll(() => snapshotOf(first, runId), patience).toBeDefined();
  const through = (await snapshotOf(first, runId)) ?? 0;
  await askJetStream(first.nats.connection, `STREAM.PURGE.${stream}`, {
    filter: names.eventSubject(0, runId),
    seq: through + 1,
  });
  await first.kill();

  await using second = await open(server.url, { isTraced: true });
  go();
  expect(await endOf(second, runId)).toBe("ended");
  expect(sidecar.calls).toHaveLength(calls);
  await expect.poll(() => countOf(second, names.outcomeSubject(0, runId)), patience).toBeLessThan(calls);
});

test("a late outcome of an attempt that has been cut is recorded and ignored", { timeout: 60_000 }, async () => {
  await using server = await startNats();
  await using first = await open(server.url, { isTraced: true });
  const { behave, go, tasks } = heldAt(30);
  await using sidecar = await openFakeSidecar(server.url, behave);
  const runId = await first.begin(plan);
  await sidecar.called(31);
  await expect.poll(() => firstKind(first, runId), patience).toBe("snapshot");
  const [task] = tasks;
  assert(task?.attempt !== undefined);
  const late = Outcome.fromPartial({
    attempt: task.attempt,
    token: task.token,
    kind: { $case: "failed", value: { code: 5, message: "late", origin: Failure_Origin.SERVICE } },
    delivery: 1,
    sent: true,
  });
  const publisher = openPublisher(first.nats.connection);
  const subject = names.outSubject(service, 0, toHex(task.runId));
  expect((await publisher.publish(subject, Outcome.encode(late).finish(), "")).kind).toBe("stored");
  go();
  expect(await endOf(first, runId)).toBe("ended");
  const got = await first.processor.front.get(runId);
  expect(got.kind === "run" ? got.run.state : got).toBe(4);
});

test("a run that holds more than a message takes is told of and goes on with its whole history", async () => {
  await using server = await startNats();
  const signals = [Signal.fromPartial({ name: "note", type: "google.protobuf.StringValue" })];
  const large = makePlan([makeWait("long", 3_600_000)], undefined, { signals });
  await using owner = await open(server.url, { isTraced: true }, large);
  const { front, counts } = owner.processor;
  const runId = await owner.begin(large);
  const tell = async (bytes: number, count: number) => {
    for (let i = 0; i < count; i++) {
      const event = { name: "note", payload: new Uint8Array(bytes), requestId: `${bytes} ${i}`, actor: "" };
      const told = await front.request(runId, { kind: "signal", event }, AbortSignal.timeout(20_000));
      expect(told.kind).toBe("done");
    }
  };
  await tell(250_000, 5);
  await tell(10, 10);
  await expect.poll(() => counts.oversizedSnapshots, patience).toBe(1);
  expect(await firstKind(owner, runId)).toBe("runStarted");
  expect(await snapshotOf(owner, runId)).toBeUndefined();
  expect(owner.nats.reconnects()).toBe(0);
  const got = await front.get(runId);
  expect(got.kind === "run" ? got.run.state : got).toBe(Run_State.RUNNING);
  const event = { reason: "test", actor: "", requestId: "" };
  await front.request(runId, { kind: "terminate", event }, AbortSignal.timeout(20_000));
  expect(await endOf(owner, runId)).toBe("ended");
});
