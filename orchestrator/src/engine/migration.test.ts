import { expect, test } from "vitest";
import { Rerun, TakenStep, TakenStep_End } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Migrated } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { advance } from "./advance.ts";
import { migrationOf } from "./migration.ts";
import type { LogRecord } from "./record.ts";
import { startIn } from "./snapshot/resume.ts";
import { newRun } from "./state.ts";
import { makePlan } from "./testing/plan.ts";
import { eventAt, makeFailure, makeStarted, outcomeAt, testRunId } from "./testing/records.ts";
import type { StepSketch } from "./testing/sketch.ts";

const call = (id: string, method: string): StepSketch => ({ id, action: { kind: "call", method } });
const wait = (id: string, forMs: number): StepSketch => ({ id, action: { kind: "wait", forMs } });
const plan = makePlan({ steps: [call("a", "x.X/A"), wait("w", 60_000), call("b", "x.X/B")] });
const attempt = { step: "a", generation: 0, phase: 0, attempt: 1 } as const;
const done = new TextEncoder().encode("done");

const migratedTo = (version: number, through: number, anew: Migrated["anew"] = []): Migrated => ({
  version,
  planHash: new Uint8Array([version]),
  reason: "",
  actor: "",
  requestId: "",
  through,
  anew,
  droppedSignals: [],
});

/** It has called, and waits. */
const waiting: readonly LogRecord[] = [
  eventAt(1, 0, { $case: "runStarted", value: makeStarted() }),
  outcomeAt(2, 5, attempt, { $case: "completed", value: done }),
];

test("what would have asked for the same can go on, whatever comes later", () => {
  const other = makePlan({ steps: [call("a", "x.X/A"), wait("w", 60_000), call("c", "x.X/C"), wait("v", 1)] });
  expect(migrationOf(plan, other, testRunId, waiting)).toEqual({ kind: "can", at: "w", anew: [], drops: [] });
  expect(migrationOf(plan, plan, testRunId, waiting)).toEqual({ kind: "can", at: "w", anew: [], drops: [] });
});

test.each<[string, readonly StepSketch[], number, string, string]>([
  ["another method", [call("a", "x.X/Z"), wait("w", 60_000)], 1, "a", "a call of x.X/Z of a with other content"],
  ["another step", [call("z", "x.X/A"), wait("w", 60_000)], 1, "a", "a call of x.X/A of z"],
  ["a step before", [wait("v", 1_000), call("a", "x.X/A")], 1, "a", "timer 1"],
  ["another time", [call("a", "x.X/A"), wait("w", 1_000)], 2, "", "timer 1 with other content"],
  ["no wait", [call("a", "x.X/A"), call("b", "x.X/B")], 2, "b", "a call of x.X/B of b"],
  ["nothing more", [call("a", "x.X/A")], 2, "", "its end"],
])("the first difference is told: %s", (_, steps, sequence, step, text) => {
  const found = migrationOf(plan, makePlan({ steps }), testRunId, waiting);
  expect(found).toMatchObject({ kind: "differs", sequence, step });
  expect(found).toMatchObject({ text: expect.stringContaining(`the other one for ${text}`) });
});

test("a call that is under way, or waits for its next attempt, is no hindrance", () => {
  const other = makePlan({ steps: [call("a", "x.X/A"), wait("w", 60_000)] });
  expect(migrationOf(plan, other, testRunId, waiting.slice(0, 1))).toEqual({
    kind: "can",
    at: "a",
    anew: [],
    drops: [],
  });
  const failed = outcomeAt(2, 5, attempt, { $case: "failed", value: makeFailure("UNAVAILABLE", "away") });
  expect(migrationOf(plan, other, testRunId, [...waiting.slice(0, 1), failed])).toEqual({
    kind: "can",
    at: "a",
    anew: [],
    drops: [],
  });
});

test("an ended or summed up run can't", () => {
  const other = makePlan({ steps: [call("a", "x.X/A"), wait("w", 60_000)] });
  const ended = eventAt(3, 9, {
    $case: "runEnded",
    value: {
      state: 4,
      response: new Uint8Array(),
      status: undefined,
      step: "",
      responsePayload: undefined,
      retentionMs: undefined,
    },
  });
  expect(migrationOf(plan, other, testRunId, [...waiting, ended])).toEqual({ kind: "ended" });
  const snapshot = eventAt(3, 9, {
    $case: "snapshot",
    value: { sequence: 2, started: makeStarted(), state: new Uint8Array() },
  });
  expect(migrationOf(plan, other, testRunId, [...waiting, snapshot])).toEqual({ kind: "summedUp" });
});

test("who reads a migrated run folds all of it by the plan of its last migration, and it says that version", () => {
  const migrated = (sequence: number, version: number) =>
    eventAt(sequence, 10, {
      $case: "migrated",
      value: migratedTo(version, 0),
    });
  const records = [...waiting, migrated(3, 2), migrated(4, 3)];
  expect(startIn(records)).toMatchObject({ version: 3, planHash: new Uint8Array([3]) });
  expect(startIn(waiting)).toMatchObject({ version: 1 });
  const other = makePlan({ steps: [call("a", "x.X/A"), wait("w", 60_000), call("c", "x.X/C")] });
  const state = newRun(testRunId);
  for (const record of records) advance(other, state, record);
  expect(state.started).toMatchObject({ version: 3 });
  const [next] = advance(
    other,
    state,
    eventAt(5, 60_005, { $case: "timerFired", value: { number: 1, dueMs: 0 } }),
  ).commands;
  expect(next).toMatchObject({ kind: "publishTask", method: "x.X/C" });
});

const asking = (method: string, more: Partial<Extract<StepSketch["action"], { kind: "call" }>> = {}): StepSketch => ({
  id: "a",
  action: { kind: "call", method, attempts: 1, exhausted: "PAUSE", ...more },
});
const failedOnce: readonly LogRecord[] = [
  eventAt(1, 0, { $case: "runStarted", value: makeStarted() }),
  outcomeAt(2, 5, attempt, { $case: "failed", value: makeFailure("UNAVAILABLE", "away") }),
];

test("of a step at an incident the calls may be others: it is tried anew with what the new version sends, and what was sent is not its result", () => {
  const before = makePlan({ steps: [asking("x.X/A", { request: "'wrong'" })] });
  const after = makePlan({ steps: [asking("x.X/Z", { request: "'right'", timeoutMs: 9_000 }), call("b", "x.X/B")] });
  const anew = [{ step: "a", compensation: false }];
  expect(migrationOf(before, after, testRunId, failedOnce)).toEqual({ kind: "can", at: "a", anew, drops: [] });
  const state = newRun(testRunId);
  const turn = (sequence: number, kind: Parameters<typeof eventAt>[2]) =>
    advance(after, state, eventAt(sequence, 20, kind)).commands;
  for (const record of failedOnce) advance(after, state, record);
  expect(turn(3, { $case: "migrated", value: migratedTo(2, 2, anew) })).toEqual([]);
  const late = advance(after, state, outcomeAt(4, 21, attempt, { $case: "completed", value: done }));
  expect(late.commands).toEqual([]);
  expect(state.steps.get("a")).toMatchObject({ state: { kind: "paused" }, maybeExecuted: true });
  const value = { step: "a", compensation: false, reason: "", actor: "", requestId: "r", backoff: false };
  expect(turn(5, { $case: "retryRequested", value })).toMatchObject([
    { kind: "publishTask", method: "x.X/Z", timeoutMs: 9_000, attempt: { generation: 1, attempt: 2 } },
  ]);
});

test("a step at an incident whose call may be under way is waited for, and where the new version does not stop there is told", () => {
  const before = makePlan({ steps: [asking("x.X/A")] });
  const after = makePlan({ steps: [asking("x.X/A", { timeoutMs: 9_000 })] });
  const status = makeFailure("UNAVAILABLE", "away");
  const [start] = failedOnce;
  // Another delivery of its task may be under way.
  const lingering = outcomeAt(2, 5, attempt, { $case: "failed", value: status }, { delivery: 2 });
  const records = start === undefined ? [] : [start, lingering];
  expect(migrationOf(before, after, testRunId, records)).toEqual({ kind: "busy", step: "a" });
  expect(migrationOf(before, before, testRunId, records)).toEqual({ kind: "can", at: "a", anew: [], drops: [] });
  const retrying = makePlan({ steps: [asking("x.X/A", { attempts: 3 })] });
  expect(migrationOf(before, retrying, testRunId, records)).toMatchObject({ kind: "differs", step: "" });
});

test("a migration that something came before which it did not know of is none", () => {
  const other = makePlan({ steps: [call("a", "x.X/A"), wait("w", 60_000), call("c", "x.X/C")] });
  const [start, outcome] = waiting;
  if (start === undefined || outcome === undefined) throw new Error("there are two");
  const late = { ...outcome, sequence: 2 };
  const migrated = (through: number): LogRecord => eventAt(3, 10, { $case: "migrated", value: migratedTo(2, through) });
  expect(startIn([start, late, migrated(1)])).toMatchObject({ version: 1 });
  expect(startIn([start, late, migrated(2)])).toMatchObject({ version: 2 });
  const state = newRun(testRunId);
  for (const record of [start, late]) advance(other, state, record);
  expect(advance(other, state, migrated(1))).toMatchObject({ ignored: true });
  expect(state.started).toMatchObject({ version: 1 });
  // A snapshot says what it came to, and what is below may be gone.
  const summedUp = eventAt(4, 11, {
    $case: "snapshot",
    value: { sequence: 3, started: makeStarted({ version: 1 }), state: new Uint8Array() },
  });
  expect(startIn([start, migrated(1), summedUp])).toMatchObject({ version: 1 });
});

test("signals that wait and that the other plan does not know are told, and none is read as another type", () => {
  const taking = (...signals: readonly string[]) => makePlan({ steps: [wait("w", 60_000)], signals });
  const given = (sequence: number, name: string): LogRecord =>
    eventAt(sequence, sequence, { $case: "signalReceived", value: { name, payload: done, id: "", actor: "" } });
  const records = [
    eventAt(1, 0, { $case: "runStarted", value: makeStarted() }),
    ...["go", "stop", "go"].map((name, at) => given(at + 2, name)),
  ];
  const from = taking("go", "stop");
  const found = (to: ReturnType<typeof taking>) => migrationOf(from, to, testRunId, records);
  expect(found(from)).toMatchObject({ kind: "can", drops: [] });
  expect(found(taking("stop"))).toMatchObject({ kind: "can", drops: [{ name: "go", count: 2 }] });
  const both = [
    { name: "go", count: 2 },
    { name: "stop", count: 1 },
  ];
  expect(found(taking())).toMatchObject({ kind: "can", drops: both });
  const retyped = {
    ...from,
    signals: from.signals.map(({ name, method, key, start }) => ({ name, method, key, start, type: "x.Other" })),
  };
  expect(found(retyped)).toMatchObject({
    kind: "differs",
    text: expect.stringMatching(/^a signal go waits to be taken: of type .+ here, x\.Other there$/),
  });
});

test("a run that took steps over from another one can't go on where these have other places", () => {
  const taken = [TakenStep.fromPartial({ index: 0, end: TakenStep_End.COMPLETED })];
  const rerun = { ...Rerun.decode(new Uint8Array()), step: "w", taken };
  const records = [eventAt(1, 0, { $case: "runStarted", value: makeStarted({ rerun }) })];
  expect(migrationOf(plan, plan, testRunId, records)).toMatchObject({ kind: "can", at: "w" });
  const longer = makePlan({ steps: [call("a", "x.X/A"), wait("w", 60_000), call("c", "x.X/C")] });
  expect(migrationOf(plan, longer, testRunId, records)).toMatchObject({ kind: "can", at: "w" });
  const before = makePlan({ steps: [call("z", "x.X/Z"), wait("w", 60_000)] });
  expect(migrationOf(plan, before, testRunId, records)).toMatchObject({ kind: "differs", step: "a" });
});
