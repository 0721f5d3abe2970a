import { expect, test } from "vitest";
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

/** It has called, and waits. */
const waiting: readonly LogRecord[] = [
  eventAt(1, 0, { $case: "runStarted", value: makeStarted() }),
  outcomeAt(2, 5, attempt, { $case: "completed", value: done }),
];

test("what would have asked for the same can go on, whatever comes later", () => {
  const other = makePlan({ steps: [call("a", "x.X/A"), wait("w", 60_000), call("c", "x.X/C"), wait("v", 1)] });
  expect(migrationOf(plan, other, testRunId, waiting)).toEqual({ kind: "can" });
  expect(migrationOf(plan, plan, testRunId, waiting)).toEqual({ kind: "can" });
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

test("while a call is under way it waits, and an ended or summed up run can't", () => {
  const other = makePlan({ steps: [call("a", "x.X/A"), wait("w", 60_000)] });
  expect(migrationOf(plan, other, testRunId, waiting.slice(0, 1))).toEqual({ kind: "busy", step: "a" });
  // It backs off, and a late success of its first attempt would count.
  const failed = outcomeAt(2, 5, attempt, { $case: "failed", value: makeFailure("UNAVAILABLE", "away") });
  expect(migrationOf(plan, other, testRunId, [...waiting.slice(0, 1), failed])).toEqual({ kind: "busy", step: "a" });
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
      value: { version, planHash: new Uint8Array([version]), reason: "", actor: "", requestId: "" },
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
