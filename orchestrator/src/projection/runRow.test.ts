import { expect, test } from "vitest";
import { Incident_Reason, Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import { advance } from "../engine/advance.ts";
import { newRun } from "../engine/state.ts";
import { epochMs } from "../engine/testing/expression.ts";
import { makePlan } from "../engine/testing/plan.ts";
import { eventAt, makeFailure, makeStarted, outcomeAt, testRunId } from "../engine/testing/records.ts";
import { numbersOf, rowMark, rowOf } from "./runRow.ts";

const plan = makePlan({
  steps: [
    {
      id: "all",
      action: {
        kind: "parallel",
        branches: [
          { steps: [{ id: "charge", action: { kind: "call", method: "pay.Pay/Charge", attempts: 1 } }] },
          { steps: [{ id: "rest", action: { kind: "wait", forMs: 5_000 } }] },
        ],
      },
    },
  ],
});
const charge = { step: "charge", generation: 0, phase: 0, attempt: 1 } as const;
const asked = { reason: "", actor: "", requestId: "r" };

test("a run without a start has no row", () => {
  expect(rowOf(0, plan, newRun(testRunId))).toBeUndefined();
});

test("a row follows its run from its start over an incident and a hold to its end", () => {
  const state = newRun(testRunId);
  advance(plan, state, eventAt(1, 0, { $case: "runStarted", value: makeStarted() }));
  const started = rowOf(3, plan, state);
  expect(started).toMatchObject({
    id: testRunId,
    partition: 3,
    sequence: 1,
    workflow: "test.v1.Workflow/Run",
    state: Run_State.RUNNING,
    startedMs: epochMs,
    endedMs: undefined,
    error: undefined,
    incidents: [],
  });
  advance(plan, state, outcomeAt(2, 1_000, charge, { $case: "failed", value: makeFailure("INTERNAL", "bug") }));
  const known = { attributes: { customer: '"c-1"' }, numbers: {} };
  expect(rowOf(3, plan, state, known)).toMatchObject({
    sequence: 2,
    state: Run_State.PAUSED,
    error: { code: 13, message: "bug", step: "charge" },
    incidents: [{ step: "charge", place: "charge", reason: Incident_Reason.EXHAUSTED, sinceMs: epochMs + 1_000 }],
    ...known,
  });
  advance(plan, state, eventAt(3, 2_000, { $case: "pauseRequested", value: asked }));
  expect(rowOf(3, plan, state)).toMatchObject({ held: true });
  advance(plan, state, eventAt(4, 3_000, { $case: "terminateRequested", value: { ...asked, requestId: "t" } }));
  const ended = { state: Run_State.TERMINATED, response: new Uint8Array(), status: undefined, step: "" };
  advance(plan, state, eventAt(5, 4_000, { $case: "runEnded", value: { ...ended, responsePayload: undefined } }));
  expect(rowOf(3, plan, state)).toMatchObject({
    sequence: 5,
    state: Run_State.TERMINATED,
    held: false,
    endedMs: epochMs + 4_000,
    error: undefined,
    incidents: [],
  });
});

test("numbers, times and durations among the attributes can be compared as such", () => {
  const attributes = {
    total: "12.5",
    large: '"9007199254740993"',
    negative: "-1e3",
    due: '"2026-01-31T00:00:00.500Z"',
    grace: '"90.5s"',
    name: '"c-1"',
    vip: "true",
    empty: '""',
  };
  expect(numbersOf(attributes)).toEqual({
    total: 12.5,
    large: 9_007_199_254_740_992,
    negative: -1_000,
    due: Date.parse("2026-01-31T00:00:00.500Z"),
    grace: 90_500,
  });
});

test("the mark changes with what a row says, and with nothing else", () => {
  const state = newRun(testRunId);
  advance(plan, state, eventAt(1, 0, { $case: "runStarted", value: makeStarted() }));
  const started = rowMark(state);
  // A late answer of an attempt that nobody made.
  advance(plan, state, outcomeAt(2, 500, { ...charge, attempt: 9 }, { $case: "completed", value: new Uint8Array() }));
  expect(rowMark(state)).toBe(started);
  advance(plan, state, outcomeAt(3, 1_000, charge, { $case: "failed", value: makeFailure("INTERNAL", "bug") }));
  const paused = rowMark(state);
  expect(paused).not.toBe(started);
  advance(plan, state, eventAt(4, 2_000, { $case: "pauseRequested", value: asked }));
  expect(rowMark(state)).not.toBe(paused);
});
