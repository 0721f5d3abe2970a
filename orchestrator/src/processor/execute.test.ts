import assert from "node:assert/strict";
import { expect, test } from "vitest";
import { AttemptId_Phase, Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { Task } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { parseRunId } from "../../../proto/wire/runId.ts";
import { silent } from "../../../test/support/connectTo.ts";
import { advance } from "../engine/advance.ts";
import { newRun } from "../engine/state.ts";
import { makePlan } from "../engine/testing/plan.ts";
import { eventAt, makeStarted } from "../engine/testing/records.ts";
import { toCredentials } from "./credentials.ts";
import { execute } from "./execute.ts";
import { defaultBounds, zeroCounts } from "./ownership.ts";
import type { Ownership } from "./ownership.ts";
import type { PartitionLog, Tasks, Timers, Written } from "./ports.ts";
import { toResidentRun } from "./residentRun.ts";
import { noDrift } from "./drift.ts";
import { openUnfinished } from "./unfinished.ts";

const dueMs = 1_000_000;
const stored: Written = { kind: "stored", sequence: 1 };
const carry = { hold: 1, atMs: 0, recheck: true };

/** An owner whose timer stream answers when the test says so. */
function makeOwner() {
  const asked: string[] = [];
  const appended: string[] = [];
  const armed = Promise.withResolvers<Written>();
  const unfinished = openUnfinished(0);
  const log: Partial<PartitionLog> = {
    append: (_runId, _id, event) => {
      appended.push(Event.decode(event).kind?.$case ?? "");
      return Promise.resolve(stored);
    },
  };
  const timers: Timers = {
    arm: () => {
      asked.push("arm");
      return armed.promise;
    },
    cancel: () => {
      asked.push("cancel");
      return Promise.resolve(stored);
    },
    remove: () => Promise.resolve(),
    runs: () => Promise.resolve(undefined),
  };
  const published: Task[] = [];
  const tasks: Tasks = {
    publish: (_method, _id, task) => {
      published.push(Task.decode(task));
      return Promise.resolve(stored);
    },
  };
  const held = new Set<string>();
  const owner = {
    partition: 0,
    heldRuns: new Set(),
    log: log as PartitionLog,
    tasks,
    credentials: toCredentials([new Uint8Array(32)]),
    timers,
    clock: { now: () => 0, observe: () => undefined, offsetMs: () => 0 },
    bounds: defaultBounds,
    counts: zeroCounts(),
    logger: silent,
    signal: new AbortController().signal,
    isLive: () => true,
    fail: (error: unknown) => {
      throw error;
    },
    roomAgain: () => undefined,
    drift: noDrift,
    heldBack: {
      reasonFor: (_workflow, method) => (held.has(method) ? "ann" : undefined),
      onRelease: () => () => undefined,
    },
    unfinished,
  } as Partial<Ownership> as Ownership;
  const runId = parseRunId("a".repeat(32));
  assert(runId !== undefined);
  return { owner, asked, appended, published, armed, unfinished, held, run: toResidentRun(runId, 0) };
}

test("a timer is cancelled only once its arming is known: a retry of that could come after the cancellation", async () => {
  const { owner, asked, armed, unfinished, run } = makeOwner();
  execute(owner, run, { kind: "armTimer", issuedAt: 1, number: 1, dueMs }, carry);
  unfinished.read(2);
  execute(owner, run, { kind: "cancelTimer", issuedAt: 2, number: 1 }, { ...carry, hold: 2 });
  await Promise.resolve();
  expect(asked).toEqual(["arm"]);
  expect(unfinished.checkpoint()).toBe(0);
  armed.resolve(stored);
  await expect.poll(() => unfinished.checkpoint()).toBe(2);
  expect(asked).toEqual(["arm", "cancel"]);
});

test("a timer that the stream will never take becomes an event, and the checkpoint goes on", async () => {
  const { owner, appended, armed, unfinished, run } = makeOwner();
  execute(owner, run, { kind: "armTimer", issuedAt: 1, number: 1, dueMs }, carry);
  unfinished.read(1);
  armed.resolve({ kind: "rejected", reason: "no such stream" });
  await expect.poll(() => unfinished.checkpoint()).toBe(1);
  expect(appended).toEqual(["commandRejected"]);
  expect(run.unacked).toBe(0);
});

test("a timer that the stream does not take for long becomes an event as well", async () => {
  const { owner, appended, armed, unfinished, run } = makeOwner();
  execute(owner, run, { kind: "armTimer", issuedAt: 1, number: 1, dueMs }, carry);
  unfinished.read(1);
  armed.resolve({ kind: "deferred", reason: "in process" });
  await expect.poll(() => unfinished.checkpoint()).toBe(1);
  expect(appended).toEqual(["commandDeferred"]);
});

test("what was abandoned with the partition holds its checkpoint back for good", async () => {
  const { owner, armed, unfinished, run } = makeOwner();
  execute(owner, run, { kind: "armTimer", issuedAt: 1, number: 1, dueMs }, carry);
  unfinished.read(1);
  armed.resolve({ kind: "abandoned" });
  await armed.promise;
  await Promise.resolve();
  expect(unfinished.checkpoint()).toBe(0);
});

test("a task that may have been written before is to be asked about", () => {
  const { owner, published, run } = makeOwner();
  const attempt = { step: "a", generation: 0, phase: AttemptId_Phase.FORWARD, attempt: 1 };
  const command = {
    kind: "publishTask",
    issuedAt: 1,
    issuedMs: 0,
    attempt,
    method: "test.v1.Things/Do",
    request: new Uint8Array(),
    headers: [],
    timeoutMs: 1000,
    claim: false,
    stream: undefined,
    payload: undefined,
    isReissue: false,
    compensates: undefined,
  } as const;
  execute(owner, run, command, { ...carry, recheck: false });
  execute(owner, run, { ...command, isReissue: true }, { ...carry, recheck: false });
  execute(owner, run, command, carry);
  expect(published.map(({ recheck }) => recheck)).toEqual([false, true, true]);
});

test("a hold that ends while its deferral is on its way makes nobody wait: the pause is over before it begins", () => {
  const { owner, asked, appended, held, run } = makeOwner();
  const plan = makePlan({ steps: [{ id: "a", action: { kind: "call", method: "x.X/A", timeoutMs: 1_000 } }] });
  run.state = newRun(run.runId);
  const attempt = { step: "a", generation: 0, phase: AttemptId_Phase.FORWARD, attempt: 1 };
  advance(plan, run.state, eventAt(1, 0, { $case: "runStarted", value: makeStarted() }));
  const deferred = { command: { $case: "task", value: attempt }, reason: "ann", held: true, drift: false } as const;
  const { commands } = advance(plan, run.state, eventAt(2, 10, { $case: "commandDeferred", value: deferred }));
  expect(commands.map(({ kind }) => kind)).toEqual(["armTimer"]);

  held.add("x.X/A");
  for (const command of commands) execute(owner, run, command, carry);
  expect([asked, appended]).toEqual([["arm"], []]);

  held.clear();
  for (const command of commands) execute(owner, run, command, { ...carry, hold: 2 });
  expect(appended).toEqual(["timerFired"]);
});
