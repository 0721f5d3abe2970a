import { describe, expect, test } from "vitest";
import type { Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { Run_State, fittingAction_KindToJSON } from "../../../proto/gen/sidestep/v1/run.ts";
import { advance } from "./advance.ts";
import { fittingActions } from "./fitting.ts";
import type { LogRecord } from "./record.ts";
import { makePlan } from "./testing/plan.ts";
import { eventAt, makeFailure, outcomeAt } from "./testing/records.ts";
import { callPlan, scenes, stage } from "./testing/scenes.ts";
import type { Scene } from "./testing/scenes.ts";

const about = { reason: "", actor: "", requestId: "" };
const cancel: Event["kind"] = { $case: "cancelRequested", value: about };
const attempt = { step: "s", generation: 0, phase: 0, attempt: 1 } as const;
const done = { $case: "completed", value: new Uint8Array() } as const;
const undone = makePlan({
  steps: [
    { id: "s", undo: { method: "x.X/Undo", attempts: 1 }, action: { kind: "call", method: "x.X/S" } },
    { id: "t", action: { kind: "wait", forMs: 9 } },
  ],
});
const isUndone = [(n: number) => outcomeAt(n, 1, attempt, done), (n: number) => eventAt(n, 1, cancel)] as const;
const ended = { state: Run_State.TERMINATED, response: new Uint8Array(), status: undefined, step: "" };

/** Besides those of a step: a run as a whole. */
const runs: Readonly<Record<string, Scene>> = {
  "a run that is paused": {
    plan: callPlan,
    before: [(n) => eventAt(n, 1, { $case: "pauseRequested", value: about })],
    timer: 9,
  },
  "a run whose compensation runs": { plan: undone, before: isUndone, timer: 9 },
  "a run whose compensation needs a person": {
    plan: undone,
    before: [
      ...isUndone,
      (n) => outcomeAt(n, 2, { ...attempt, phase: 1 }, { $case: "failed", value: makeFailure("INTERNAL", "bug") }),
    ],
    timer: 9,
  },
  "a run that has ended": {
    plan: callPlan,
    before: [(n) => eventAt(n, 1, { $case: "runEnded", value: { ...ended, responsePayload: undefined } })],
    timer: 9,
  },
};

const underWay = "PAUSE CANCEL TERMINATE";
const table: Readonly<Record<string, string>> = {
  ready: "RESUME CANCEL TERMINATE",
  queued: underWay,
  listening: `SIGNAL ${underWay}`,
  asking: `DECIDE ${underWay}`,
  following: underWay,
  emitting: underWay,
  verifying: underWay,
  running: underWay,
  closing: "PAUSE TERMINATE",
  backingOff: `RETRY ${underWay}`,
  waiting: underWay,
  inside: underWay,
  undoing: underWay,
  paused: `RETRY SKIP PATCH FAIL COMPENSATE ${underWay}`,
  // The run asks for its end; a person may be quicker.
  completed: "CANCEL TERMINATE",
  failed: "",
  skipped: underWay,
  cancelled: "",
  "a run that is paused": "RESUME CANCEL TERMINATE",
  "a run whose compensation runs": "PAUSE TERMINATE",
  "a run whose compensation needs a person": "RETRY SKIP PATCH FAIL PAUSE TERMINATE",
  "a run that has ended": "RERUN DELETE",
};

const events: Readonly<Record<string, (isCompensation: boolean, backsOff: boolean) => Event["kind"]>> = {
  CANCEL: () => cancel,
  TERMINATE: () => ({ $case: "terminateRequested", value: about }),
  PAUSE: () => ({ $case: "pauseRequested", value: about }),
  RESUME: () => ({ $case: "resumeRequested", value: about }),
  RERUN: () => ({ $case: "rerunRequested", value: { step: "s", runId: new Uint8Array(16), ...about } }),
  DELETE: () => ({ $case: "deleteRequested", value: about }),
  RETRY: (compensation, backoff) => ({
    $case: "retryRequested",
    value: { step: "s", compensation, ...about, backoff },
  }),
  FAIL: (compensation) => ({ $case: "failRequested", value: { step: "s", compensation, ...about } }),
  SKIP: (compensation) => ({
    $case: "skipRequested",
    value: { step: "s", compensation, ...about, result: new Uint8Array() },
  }),
  PATCH: (compensation) => ({
    $case: "patchRequested",
    value: { step: "s", compensation, ...about, request: new Uint8Array() },
  }),
  COMPENSATE: () => ({ $case: "compensateRequested", value: { step: "s", ...about } }),
  DECIDE: () => ({
    $case: "decisionMade",
    value: { step: "s", approved: true, form: new Uint8Array(), by: "ann", comment: "", requestId: "", actor: "" },
  }),
  SIGNAL: () => ({ $case: "signalReceived", value: { name: "go", payload: new Uint8Array(), id: "", actor: "" } }),
};

const all: Readonly<Record<string, Scene>> = { ...scenes, ...runs };

describe.each(Object.keys(all))("what fits %s", (name) => {
  const scene = all[name] as Scene;
  const fitting = () => fittingActions(scene.plan, stage(scene));

  test(`is ${table[name] === "" ? "nothing" : String(table[name])}`, () => {
    expect(
      fitting()
        .map(({ kind }) => fittingAction_KindToJSON(kind))
        .join(" "),
    ).toBe(table[name]);
    for (const { steps } of fitting()) expect([[], ["s"]]).toContainEqual(steps);
  });

  test("is what the fold takes, and nothing else", () => {
    const taken = Object.keys(events).filter((action) => {
      const state = stage(scene);
      const isCompensation = state.compensations.get("s")?.state.kind === "paused";
      const make = events[action] as (typeof events)[string];
      const record: LogRecord = eventAt(9, 3, make(isCompensation, name === "backingOff"));
      return !advance(scene.plan, state, record).ignored;
    });
    expect(new Set(taken)).toEqual(new Set(fitting().map(({ kind }) => fittingAction_KindToJSON(kind))));
  });
});

test("a run that has not begun takes nothing", () => {
  const state = stage({ plan: callPlan, before: [], timer: 9 });
  expect(fittingActions(callPlan, { ...state, phase: "unstarted" })).toEqual([]);
  expect(fittingActions(callPlan, { ...state, phase: "void" })).toEqual([]);
});
