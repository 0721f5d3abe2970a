import { describe, expect, test } from "vitest";
import type { Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Outcome } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { advance } from "./advance.ts";
import type { StepStateKind } from "./live.ts";
import { makePlan } from "./testing/plan.ts";
import { newRun } from "./state.ts";
import type { RunState } from "./state.ts";
import { eventAt, makeFailure, makeStarted, outcomeAt, testRunId } from "./testing/records.ts";
import type { LoadedPlan } from "./plan.ts";
import type { LogRecord } from "./record.ts";

/** Kinds of events that no step takes yet. */
type Later =
  | "signalReceived"
  | "decisionMade"
  | "skipRequested"
  | "patchRequested"
  | "compensateRequested"
  | "pauseRequested"
  | "resumeRequested"
  | "childStarted"
  | "childRefused"
  | "childEnded"
  | "lockGranted"
  | "emitted"
  | "snapshot"
  | "lockRequested"
  | "lockReleased";

/** Every kind of fact that can meet a step. */
type FactKind = Exclude<NonNullable<Event["kind"]>["$case"], Later> | NonNullable<Outcome["kind"]>["$case"] | "forged";

/** What became of the step: its new state, "same" when the fact was ignored. */
type Row = Readonly<Record<FactKind, StepStateKind | "same">>;

// "ready" is a state within a turn only: it is followed to where the turn leaves it.
const table: Readonly<Record<Exclude<StepStateKind, "ready">, Row>> = {
  running: row({
    completed: "completed",
    claimed: "completed",
    failed: "backingOff",

    inDoubt: "paused",
    attemptExpired: "backingOff",
    timerFired: "closing",
    cancelRequested: "closing",
    terminateRequested: "closing",
    commandRejected: "paused",
    commandDeferred: "running",
  }),
  closing: row({
    completed: "completed",
    claimed: "completed",
    failed: "cancelled",
    inDoubt: "cancelled",
    attemptExpired: "cancelled",
    terminateRequested: "closing",
  }),
  backingOff: row({
    completed: "completed",
    claimed: "completed",
    timerFired: "running",
    cancelRequested: "cancelled",
    terminateRequested: "cancelled",
    commandRejected: "paused",
    commandDeferred: "backingOff",
  }),
  waiting: row({
    timerFired: "completed",
    cancelRequested: "cancelled",
    terminateRequested: "cancelled",
    commandRejected: "failed",
    commandDeferred: "waiting",
  }),
  inside: row({ cancelRequested: "cancelled", terminateRequested: "cancelled" }),
  undoing: row({ cancelRequested: "undoing", terminateRequested: "undoing" }),
  paused: row({
    completed: "completed",
    claimed: "completed",
    cancelRequested: "cancelled",
    terminateRequested: "cancelled",
    retryRequested: "running",
    failRequested: "failed",
  }),
  completed: row({ cancelRequested: "completed", terminateRequested: "completed" }),
  failed: row({}),
  skipped: row({ cancelRequested: "skipped", terminateRequested: "skipped" }),
  cancelled: row({}),
};

function row(changes: Partial<Row>): Row {
  return {
    runStarted: "same",
    timerFired: "same",
    attemptExpired: "same",
    cancelRequested: "same",
    terminateRequested: "same",
    retryRequested: "same",
    failRequested: "same",
    commandRejected: "same",
    commandDeferred: "same",
    runEnded: "same",
    completed: "same",
    claimed: "same",
    failed: "same",
    started: "same",
    inDoubt: "same",
    forged: "same",
    ...changes,
  };
}

const callPlan = makePlan({ steps: [{ id: "s", action: { kind: "call", method: "x.X/S", stepTimeoutMs: 60_000 } }] });
const oncePlan = makePlan({ steps: [{ id: "s", action: { kind: "call", method: "x.X/S", attempts: 1 } }] });
const waitPlan = makePlan({ steps: [{ id: "s", action: { kind: "wait", forMs: 1_000 } }] });
const innerPlan = makePlan({
  steps: [
    { id: "s", action: { kind: "parallel", branches: [{ steps: [{ id: "t", action: { kind: "wait", forMs: 9 } }] }] } },
  ],
});
const skipPlan = makePlan({
  steps: [
    { id: "s", when: "false", action: { kind: "let", value: "'x'" } },
    { id: "t", action: { kind: "wait", forMs: 1_000 } },
  ],
});
const undoPlan = makePlan({
  steps: [
    { id: "a", undo: { method: "x.X/UndoA" }, action: { kind: "call", method: "x.X/A" } },
    { id: "s", action: { kind: "compensateNow" } },
  ],
});
const failPlan = makePlan({ steps: [{ id: "s", action: { kind: "fail", code: "ABORTED" } }] });

const attempt = { step: "s", generation: 0, phase: 0, attempt: 1 } as const;
const request = { reason: "", actor: "", requestId: "" };
const failed: Outcome["kind"] = { $case: "failed", value: makeFailure("ABORTED", "busy") };
const completed: Outcome["kind"] = { $case: "completed", value: new Uint8Array() };
const claimed = { runId: testRunId, service: "x.X", id: "00", chunks: 1, sizeBytes: 300_000 };
const cancel: Event["kind"] = { $case: "cancelRequested", value: request };

interface Scene {
  readonly plan: LoadedPlan;
  readonly before: readonly ((sequence: number) => LogRecord)[];
  /** Number of the timer that a timer's fact is about. */
  readonly timer: number;
}

const scenes: Readonly<Record<keyof typeof table, Scene>> = {
  running: { plan: callPlan, before: [], timer: 1 },
  closing: { plan: callPlan, before: [(n) => eventAt(n, 1, cancel)], timer: 9 },
  backingOff: { plan: callPlan, before: [(n) => outcomeAt(n, 1, attempt, failed)], timer: 2 },
  waiting: { plan: waitPlan, before: [], timer: 1 },
  inside: { plan: innerPlan, before: [], timer: 9 },
  undoing: { plan: undoPlan, before: [(n) => outcomeAt(n, 1, { ...attempt, step: "a" }, completed)], timer: 9 },
  paused: { plan: oncePlan, before: [(n) => outcomeAt(n, 1, attempt, failed)], timer: 9 },
  completed: { plan: callPlan, before: [(n) => outcomeAt(n, 1, attempt, completed)], timer: 9 },
  failed: { plan: failPlan, before: [], timer: 9 },
  skipped: { plan: skipPlan, before: [], timer: 9 },
  cancelled: { plan: waitPlan, before: [(n) => eventAt(n, 1, cancel)], timer: 9 },
};

function factOf(kind: FactKind, sequence: number, scene: Scene): LogRecord {
  const event = (value: Event["kind"]): LogRecord => eventAt(sequence, 2, value);
  const command: { $case: "task"; value: typeof attempt } | { $case: "timer"; value: number } =
    scene.plan === callPlan && scene.timer !== 2
      ? { $case: "task", value: attempt }
      : { $case: "timer", value: scene.timer };
  const target = { step: "s", compensation: false, ...request };
  switch (kind) {
    case "runStarted":
      return event({ $case: "runStarted", value: makeStarted() });
    case "timerFired":
      return event({ $case: "timerFired", value: { number: scene.timer, dueMs: 0 } });
    case "attemptExpired":
      return event({ $case: "attemptExpired", value: { attempt } });
    case "cancelRequested":
      return event(cancel);
    case "terminateRequested":
      return event({ $case: "terminateRequested", value: request });
    case "retryRequested":
      return event({ $case: "retryRequested", value: target });
    case "failRequested":
      return event({ $case: "failRequested", value: target });
    case "commandRejected":
      return event({ $case: "commandRejected", value: { command, reason: "" } });
    case "commandDeferred":
      return event({ $case: "commandDeferred", value: { command, reason: "" } });
    case "runEnded":
      return event({
        $case: "runEnded",
        value: { state: 9, response: new Uint8Array(), status: undefined, step: "", responsePayload: undefined },
      });
    case "completed":
      return outcomeAt(sequence, 2, attempt, completed);
    case "claimed":
      return outcomeAt(sequence, 2, attempt, { $case: "claimed", value: claimed });
    case "failed":
      return outcomeAt(sequence, 2, attempt, failed);
    case "started":
      return outcomeAt(sequence, 2, attempt, { $case: "started", value: {} });
    case "inDoubt":
      return outcomeAt(sequence, 2, attempt, { $case: "inDoubt", value: {} });
    case "forged":
      return outcomeAt(sequence, 2, attempt, completed, { authentic: false });
  }
}

function stage(scene: Scene): RunState {
  const state = newRun(testRunId);
  const records = [eventAt(1, 0, { $case: "runStarted", value: makeStarted() })];
  scene.before.forEach((make, i) => records.push(make(i + 2)));
  for (const record of records) advance(scene.plan, state, record);
  return state;
}

describe.each(Object.keys(table) as (keyof typeof table)[])("a step that is %s", (from) => {
  const scene = scenes[from];

  test("is brought about", () => {
    expect(stage(scene).steps.get("s")?.state.kind).toBe(from);
  });

  test.each(Object.entries(table[from]) as [FactKind, StepStateKind | "same"][])("meets %s: %s", (kind, to) => {
    const state = stage(scene);
    const turn = advance(scene.plan, state, factOf(kind, 9, scene));
    expect(state.steps.get("s")?.state.kind).toBe(to === "same" ? from : to);
    // The end is taken as the log has it, in any state; it leaves steps as they are.
    expect(turn.ignored).toBe(to === "same" && kind !== "runEnded");
  });
});
