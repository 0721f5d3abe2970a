import type { CommandRejected, Event } from "../../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Outcome } from "../../../../proto/gen/sidestep/internal/v1/task.ts";
import { advance } from "../advance.ts";
import type { StepStateKind } from "../live.ts";
import type { LoadedPlan } from "../plan.ts";
import type { LogRecord } from "../record.ts";
import { newRun } from "../state.ts";
import type { RunState } from "../state.ts";
import { makePlan } from "./plan.ts";
import { eventAt, makeFailure, makeStarted, outcomeAt, testRunId } from "./records.ts";

/** One call. */
export const callPlan = makePlan({
  steps: [{ id: "s", action: { kind: "call", method: "x.X/S", stepTimeoutMs: 60_000 } }],
});
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
const lockPlan = makePlan({ steps: [{ id: "s", lock: "'l'", action: { kind: "call", method: "x.X/S" } }] });
const signalPlan = makePlan({
  signals: ["go"],
  steps: [{ id: "s", action: { kind: "signal", name: "go", timeoutMs: 1_000 } }],
});
const approvePlan = makePlan({ steps: [{ id: "s", action: { kind: "approve", timeoutMs: 1_000 } }] });
const childPlan = makePlan({ steps: [{ id: "s", action: { kind: "run", workflow: "x.X/Sub" } }] });
const emitPlan = makePlan({ steps: [{ id: "s", action: { kind: "emit", subject: "'shop.x'" } }] });
const verify = { method: "x.X/Find", done: "true" };
const verifyPlan = makePlan({
  steps: [{ id: "s", action: { kind: "call", method: "x.X/S", doubt: "VERIFY", verify } }],
});
const failPlan = makePlan({ steps: [{ id: "s", action: { kind: "fail", code: "ABORTED" } }] });

const attempt = { step: "s", generation: 0, phase: 0, attempt: 1 } as const;
const request = { reason: "", actor: "", requestId: "" };
const failed: Outcome["kind"] = { $case: "failed", value: makeFailure("ABORTED", "busy") };
const completed: Outcome["kind"] = { $case: "completed", value: new Uint8Array() };
const doubtful: Outcome["kind"] = { $case: "failed", value: makeFailure("UNAVAILABLE", "dropped") };
const stepId = { step: "s", generation: 0 };
const cancel: Event["kind"] = { $case: "cancelRequested", value: request };

/** How a step `s` comes to stand in a state. */
export interface Scene {
  readonly plan: LoadedPlan;
  readonly before: readonly ((sequence: number) => LogRecord)[];
  /** Number of the timer that a timer's fact is about. */
  readonly timer: number;
  /** What a command's fact is about, unless that is the attempt or the timer. */
  readonly command?: CommandRejected["command"];
}

/** One for each kind of state that a step can have. */
export const scenes: Readonly<Record<StepStateKind, Scene>> = {
  ready: {
    plan: callPlan,
    before: [
      (n) => outcomeAt(n, 1, attempt, failed),
      (n) => eventAt(n, 1, { $case: "pauseRequested", value: request }),
      (n) => eventAt(n, 1, { $case: "timerFired", value: { number: 2, dueMs: 0 } }),
    ],
    timer: 2,
  },
  queued: { plan: lockPlan, before: [], timer: 9, command: { $case: "lock", value: stepId } },
  listening: { plan: signalPlan, before: [], timer: 1 },
  asking: { plan: approvePlan, before: [], timer: 1 },
  following: { plan: childPlan, before: [], timer: 9, command: { $case: "child", value: stepId } },
  emitting: { plan: emitPlan, before: [], timer: 9, command: { $case: "emit", value: stepId } },
  verifying: { plan: verifyPlan, before: [(n) => outcomeAt(n, 1, attempt, doubtful)], timer: 9 },
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

/** A run whose step is brought there. */
export function stage(scene: Scene): RunState {
  const state = newRun(testRunId);
  const records = [eventAt(1, 0, { $case: "runStarted", value: makeStarted() })];
  scene.before.forEach((make, i) => records.push(make(i + 2)));
  for (const record of records) advance(scene.plan, state, record);
  return state;
}
