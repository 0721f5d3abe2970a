import { describe, expect, test } from "vitest";
import type { CommandRejected, Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import type { Outcome } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { advance } from "./advance.ts";
import type { StepStateKind } from "./live.ts";
import { eventAt, makeFailure, makeStarted, outcomeAt, testRunId } from "./testing/records.ts";
import { callPlan, scenes, stage } from "./testing/scenes.ts";
import type { Scene } from "./testing/scenes.ts";
import type { LogRecord } from "./record.ts";

/** Kinds of events that no step of a run takes. */
type Other = "snapshot" | "lockRequested" | "lockReleased";

/** Every kind of fact that can meet a step. */
type FactKind = Exclude<NonNullable<Event["kind"]>["$case"], Other> | NonNullable<Outcome["kind"]>["$case"] | "forged";

/** What became of the step: its new state; "same": the fact was ignored; "kept": it mattered, and left the step as it was. */
type Row = Readonly<Record<FactKind, StepStateKind | "same" | "kept">>;

// "ready" stays between turns only while the run is held.
const table: Readonly<Record<StepStateKind, Row>> = {
  ready: row({
    completed: "completed",
    claimed: "completed",
    cancelRequested: "cancelled",
    terminateRequested: "cancelled",
    resumeRequested: "running",
  }),
  queued: row({
    lockGranted: "running",
    cancelRequested: "cancelled",
    terminateRequested: "cancelled",
    commandRejected: "paused",
    commandDeferred: "queued",
    pauseRequested: "kept",
  }),
  listening: row({
    signalReceived: "completed",
    timerFired: "failed",
    cancelRequested: "cancelled",
    terminateRequested: "cancelled",
    commandRejected: "failed",
    commandDeferred: "listening",
    pauseRequested: "kept",
  }),
  asking: row({
    decisionMade: "completed",
    timerFired: "failed",
    cancelRequested: "cancelled",
    terminateRequested: "cancelled",
    commandRejected: "failed",
    commandDeferred: "asking",
    pauseRequested: "kept",
  }),
  following: row({
    childRefused: "failed",
    childEnded: "completed",
    cancelRequested: "following",
    terminateRequested: "following",
    commandRejected: "paused",
    commandDeferred: "following",
    pauseRequested: "kept",
  }),
  emitting: row({
    emitted: "completed",
    cancelRequested: "emitting",
    terminateRequested: "emitting",
    commandRejected: "paused",
    commandDeferred: "emitting",
    pauseRequested: "kept",
  }),
  verifying: row({
    completed: "completed",
    claimed: "completed",
    cancelRequested: "cancelled",
    terminateRequested: "cancelled",
    pauseRequested: "kept",
  }),
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
    pauseRequested: "kept",
  }),
  closing: row({
    completed: "completed",
    claimed: "completed",
    failed: "cancelled",
    inDoubt: "cancelled",
    attemptExpired: "cancelled",
    terminateRequested: "closing",
    pauseRequested: "kept",
  }),
  backingOff: row({
    completed: "completed",
    claimed: "completed",
    timerFired: "running",
    cancelRequested: "cancelled",
    terminateRequested: "cancelled",
    commandRejected: "paused",
    commandDeferred: "backingOff",
    pauseRequested: "kept",
  }),
  waiting: row({
    timerFired: "completed",
    cancelRequested: "cancelled",
    terminateRequested: "cancelled",
    commandRejected: "failed",
    commandDeferred: "waiting",
    pauseRequested: "kept",
  }),
  inside: row({ cancelRequested: "cancelled", terminateRequested: "cancelled", pauseRequested: "kept" }),
  undoing: row({ cancelRequested: "undoing", terminateRequested: "undoing", pauseRequested: "kept" }),
  paused: row({
    completed: "completed",
    claimed: "completed",
    cancelRequested: "cancelled",
    terminateRequested: "cancelled",
    retryRequested: "running",
    failRequested: "failed",
    skipRequested: "completed",
    patchRequested: "running",
    compensateRequested: "failed",
    pauseRequested: "kept",
  }),
  completed: row({ cancelRequested: "completed", terminateRequested: "completed" }),
  failed: row({}),
  skipped: row({ cancelRequested: "skipped", terminateRequested: "skipped", pauseRequested: "kept" }),
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
    signalReceived: "same",
    decisionMade: "same",
    skipRequested: "same",
    patchRequested: "same",
    compensateRequested: "same",
    pauseRequested: "same",
    resumeRequested: "same",
    deleteRequested: "same",
    rerunRequested: "same",
    childStarted: "same",
    childRefused: "same",
    childEnded: "same",
    // Whoever does not want it gives it back.
    lockGranted: "kept",
    emitted: "same",
    migrated: "kept",
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

const attempt = { step: "s", generation: 0, phase: 0, attempt: 1 } as const;
const request = { reason: "", actor: "", requestId: "" };
const failed: Outcome["kind"] = { $case: "failed", value: makeFailure("ABORTED", "busy") };
const completed: Outcome["kind"] = { $case: "completed", value: new Uint8Array() };
const claimed = { runId: testRunId, service: "x.X", id: "00", chunks: 1, sizeBytes: 300_000, key: new Uint8Array() };
const stepId = { step: "s", generation: 0 };
const cancel: Event["kind"] = { $case: "cancelRequested", value: request };

function factOf(kind: FactKind, sequence: number, scene: Scene): LogRecord {
  const event = (value: Event["kind"]): LogRecord => eventAt(sequence, 2, value);
  const command: CommandRejected["command"] =
    scene.command ??
    (scene.plan === callPlan && scene.timer !== 2
      ? { $case: "task", value: attempt }
      : { $case: "timer", value: scene.timer });
  const target = { step: "s", compensation: false, ...request };
  switch (kind) {
    case "migrated":
      return event({
        $case: "migrated",
        value: { version: 2, planHash: new Uint8Array(32), through: 0, anew: [], droppedSignals: [], ...request },
      });
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
      return event({ $case: "retryRequested", value: { ...target, backoff: false } });
    case "failRequested":
      return event({ $case: "failRequested", value: target });
    case "commandRejected":
      return event({ $case: "commandRejected", value: { command, reason: "" } });
    case "commandDeferred":
      return event({ $case: "commandDeferred", value: { command, reason: "", held: false, drift: false } });
    case "signalReceived":
      return event({ $case: "signalReceived", value: { name: "go", payload: new Uint8Array(), id: "", actor: "" } });
    case "decisionMade":
      return event({
        $case: "decisionMade",
        value: { step: "s", approved: true, form: new Uint8Array(), by: "ann", comment: "", requestId: "", actor: "" },
      });
    case "skipRequested":
      return event({ $case: "skipRequested", value: { ...target, result: new Uint8Array() } });
    case "patchRequested":
      return event({ $case: "patchRequested", value: { ...target, request: new Uint8Array() } });
    case "compensateRequested":
      return event({ $case: "compensateRequested", value: target });
    case "pauseRequested":
    case "resumeRequested":
    case "deleteRequested":
      return event({ $case: kind, value: request });
    case "rerunRequested":
      return event({ $case: kind, value: { step: "s", runId: new Uint8Array(16), ...request } });
    case "childStarted":
      return event({ $case: "childStarted", value: { step: stepId, runId: new Uint8Array(16) } });
    case "childRefused":
      return event({ $case: "childRefused", value: { step: stepId, status: undefined } });
    case "childEnded":
      return event({ $case: "childEnded", value: { step: stepId, runId: new Uint8Array(16), ended: completedChild } });
    case "lockGranted":
      return event({ $case: "lockGranted", value: { step: stepId, lock: "l" } });
    case "emitted":
      return event({ $case: "emitted", value: { step: stepId } });
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

const completedChild = {
  state: Run_State.COMPLETED,
  response: new Uint8Array(),
  status: undefined,
  step: "",
  responsePayload: undefined,
};

describe.each(Object.keys(table) as (keyof typeof table)[])("a step that is %s", (from) => {
  const scene = scenes[from];

  test("is brought about", () => {
    expect(stage(scene).steps.get("s")?.state.kind).toBe(from);
  });

  test.each(Object.entries(table[from]) as [FactKind, StepStateKind | "same" | "kept"][])(
    "meets %s: %s",
    (kind, to) => {
      const state = stage(scene);
      const turn = advance(scene.plan, state, factOf(kind, 9, scene));
      expect(state.steps.get("s")?.state.kind).toBe(to === "same" || to === "kept" ? from : to);
      // The end is taken as the log has it, in any state; it leaves steps as they are.
      expect(turn.ignored).toBe(to === "same" && kind !== "runEnded");
    },
  );
});
