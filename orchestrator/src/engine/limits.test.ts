import { describe, expect, test } from "vitest";
import { advance } from "./advance.ts";
import { cancelledTimersMax, overduePauseMs, requestsMax, startValidMs } from "./limits.ts";
import type { LoadedPlan } from "./plan.ts";
import { newRun } from "./state.ts";
import type { RunState } from "./state.ts";
import { makePlan } from "./testing/plan.ts";
import type { StepSketch } from "./testing/sketch.ts";
import { eventAt, makeFailure, makeStarted, outcomeAt, testRunId } from "./testing/records.ts";

function begin(
  plan: LoadedPlan,
  bounds: { readonly payloadBytesMax?: number; readonly pendingStepsMax?: number } = {},
): RunState {
  const state = newRun(testRunId);
  advance(plan, state, eventAt(1, 0, { $case: "runStarted", value: makeStarted({ bounds }) }));
  return state;
}

function call(
  id: string,
  more: { readonly request?: string; readonly stepTimeoutMs?: number; readonly attempts?: number } = {},
): StepSketch {
  return { id, action: { kind: "call", method: "x.X/Do", ...more } };
}

function beside(...ids: readonly string[]): LoadedPlan {
  const branches = ids.map((id) => ({ steps: [call(id)] }));
  return makePlan({ steps: [{ id: "both", action: { kind: "parallel", branches } }] });
}

/** "order-1" is what runs of tests are started with. */
const requestBytes = 7;

describe("a payload may be as large as the limit, and not larger", () => {
  const attempt = { step: "a", generation: 0, phase: 0, attempt: 1 } as const;

  test.each([
    [requestBytes, "forward"],
    [requestBytes - 1, "ending"],
  ])("a request of 7 bytes under a limit of %i: %s", (payloadBytesMax, phase) => {
    expect(begin(makePlan({ steps: [call("a", { request: "input" })] }), { payloadBytesMax }).phase).toBe(phase);
  });

  test.each([
    [8, "completed"],
    [9, "failed"],
  ])("a response of %i bytes under a limit of 8: %s", (size, kind) => {
    const plan = makePlan({ steps: [call("a")] });
    const state = begin(plan, { payloadBytesMax: 8 });
    advance(plan, state, outcomeAt(2, 1, attempt, { $case: "completed", value: new Uint8Array(size) }));
    expect(state.steps.get("a")?.state.kind).toBe(kind);
  });

  test.each([
    ["'12345678'", "completed"],
    ["'123456789'", "failed"],
  ])("a kept value and an answer of %s under a limit of 8: %s", (value, verdict) => {
    const kept = begin(makePlan({ steps: [{ id: "a", action: { kind: "let", value } }] }), { payloadBytesMax: 8 });
    const answered = begin(makePlan({ steps: [{ id: "a", action: { kind: "wait", forMs: 0 } }], output: value }), {
      payloadBytesMax: 8,
    });
    expect([kept.verdict?.kind, answered.verdict?.kind]).toEqual([verdict, verdict]);
  });

  test("no limit pinned is none", () => {
    expect(begin(makePlan({ steps: [call("a", { request: "input" })] })).phase).toBe("forward");
  });
});

test("as many steps may be open as the limit says, and not one more", () => {
  expect(begin(beside("a", "b"), { pendingStepsMax: 2 }).phase).toBe("forward");
  expect(begin(beside("a", "b", "c"), { pendingStepsMax: 2 }).verdict?.kind).toBe("failed");
});

test("a place that a step gives up is free for the next", () => {
  const steps = Array.from({ length: 5 }, (_, i) => call(`s${i}`));
  const plan = makePlan({ steps });
  const state = begin(plan, { pendingStepsMax: 1 });
  for (let i = 0; i < 5; i++) {
    const attempt = { step: `s${i}`, generation: 0, phase: 0, attempt: 1 } as const;
    advance(plan, state, outcomeAt(i + 2, i, attempt, { $case: "completed", value: new Uint8Array() }));
  }
  expect(state.verdict?.kind).toBe("completed");
  expect(state.pendingSteps).toBe(0);
});

test.each([
  [startValidMs, "forward"],
  [startValidMs + 1, "void"],
])("a start stored %i ms after its issue: %s", (lateMs, phase) => {
  const plan = makePlan({ steps: [call("a")] });
  const state = newRun(testRunId);
  advance(plan, state, eventAt(1, lateMs, { $case: "runStarted", value: makeStarted() }));
  expect(state.phase).toBe(phase);
});

test("a run remembers a bounded number of cancelled timers and of requests", () => {
  const plan = makePlan({ steps: [call("a", { stepTimeoutMs: 60_000, attempts: 1 })] });
  const state = begin(plan);
  let sequence = 1;
  for (let i = 1; i <= Math.max(cancelledTimersMax, requestsMax) + 5; i++) {
    const attempt = { step: "a", generation: 0, phase: 0, attempt: i } as const;
    advance(plan, state, outcomeAt(++sequence, i, attempt, { $case: "failed", value: makeFailure("ABORTED", "busy") }));
    const value = { step: "a", compensation: false, reason: "", actor: "", requestId: `r-${i}`, backoff: false };
    advance(plan, state, eventAt(++sequence, i, { $case: "retryRequested", value }));
  }
  expect(state.cancelledTimers.size).toBe(cancelledTimersMax);
  expect(state.requests.size).toBe(requestsMax);
  expect(state.timers.size).toBe(1);
});

test("overdue attempts are looked for at most once in a while, however many there are", () => {
  const branches = Array.from({ length: 50 }, (_, i) => ({
    steps: [
      { id: `w${i}`, action: { kind: "wait" as const, forMs: i + 1 } },
      { id: `s${i}`, action: { kind: "call" as const, method: "x.X/Do", noticeMs: 100, timeoutMs: 100 } },
    ],
  }));
  const plan = makePlan({ steps: [{ id: "both", action: { kind: "parallel", branches } }] });
  const state = begin(plan);
  let sequence = 1;
  for (let i = 1; i <= 50; i++)
    advance(plan, state, eventAt(++sequence, i, { $case: "timerFired", value: { number: i, dueMs: 0 } }));
  let fired = 0;
  for (let timer = state.overdueTimer; timer !== undefined; timer = state.overdueTimer) {
    fired += 1;
    advance(
      plan,
      state,
      eventAt(++sequence, timer.dueMs - 1_000_000, { $case: "timerFired", value: { number: timer.number, dueMs: 0 } }),
    );
  }
  expect(fired).toBe(2);
  expect([...state.attempts.values()].every((attempt) => attempt.isOverdue)).toBe(true);
  expect(overduePauseMs).toBeGreaterThan(50);
});
