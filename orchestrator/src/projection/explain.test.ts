import { describe, expect, test } from "vitest";
import { Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import { Waiting_Kind as Kind } from "../../../proto/gen/sidestep/v1/waiting.ts";
import { advance } from "../engine/advance.ts";
import type { StepStateKind } from "../engine/live.ts";
import { newRun } from "../engine/state.ts";
import { epochMs } from "../engine/testing/expression.ts";
import { makePlan } from "../engine/testing/plan.ts";
import type { LogRecord } from "../engine/record.ts";
import { eventAt, makeFailure, makeStarted, outcomeAt, testRunId } from "../engine/testing/records.ts";
import { waitsOf } from "../engine/waits.ts";
import { explain } from "./explain.ts";
import type { Surroundings } from "./explain.ts";

type Sketch = Parameters<typeof makePlan>[0]["steps"][number]["action"];

const call: Sketch = { kind: "call", method: "pay.Pay/Charge" };
const attempt = { step: "s", generation: 0, phase: 0, attempt: 1 } as const;
const busy = makeFailure("ABORTED", "busy,\n  try later");
const asked = { reason: "until the audit is over", actor: "ann", requestId: "r" };
const failedOnce = (n: number): LogRecord => outcomeAt(n, 1_000, attempt, { $case: "failed", value: busy });
const paused = (n: number): LogRecord => eventAt(n, 2_000, { $case: "pauseRequested", value: asked });
const cancelled = (n: number): LogRecord => eventAt(n, 2_000, { $case: "cancelRequested", value: asked });
const deferred =
  (held: boolean) =>
  (n: number): LogRecord =>
    eventAt(n, 2_000, {
      $case: "commandDeferred",
      value: { command: { $case: "task", value: attempt }, reason: "", held, drift: false },
    });

const here: Surroundings = {
  nowMs: epochMs + 90_000,
  offersOf: () => [{ sidecar: "pay on a", broken: false }],
  holdOf: () => undefined,
  isLimited: () => false,
  driftOf: () => undefined,
  queueOf: () => undefined,
};

interface Case {
  readonly action: Sketch;
  readonly step?: Partial<Parameters<typeof makePlan>[0]["steps"][number]>;
  readonly signals?: readonly string[];
  readonly before?: readonly ((sequence: number) => LogRecord)[];
  readonly around?: Partial<Surroundings>;
}

function explainCase({ action, step, signals, before, around }: Case): ReturnType<typeof explain> {
  const plan = makePlan({
    ...(signals === undefined ? {} : { signals: [...signals] }),
    steps: [{ id: "s", action, ...step }],
  });
  const state = newRun(testRunId);
  advance(plan, state, eventAt(1, 0, { $case: "runStarted", value: makeStarted() }));
  (before ?? []).forEach((make, i) => advance(plan, state, make(i + 2)));
  return explain(waitsOf(plan, state), { ...here, ...around });
}

/** What is told of a step in each of its states; undefined: it waits for nothing of its own. */
const states: Readonly<Record<StepStateKind, readonly [Case, Kind, string] | undefined>> = {
  ready: [
    {
      action: call,
      before: [failedOnce, paused, (n) => eventAt(n, 3_000, { $case: "timerFired", value: { number: 1, dueMs: 0 } })],
    },
    Kind.PAUSED,
    "the run: paused by ann (until the audit is over), for 1 min 28 s now; resume lets it go on.",
  ],
  queued: [
    { action: call, step: { lock: "'till'" }, around: { queueOf: () => ({ runId: "0a", step: "pay", place: 3 }) } },
    Kind.LOCK,
    "s: waits for lock till, held by step pay of run 0a, 2 before it in line, for 1 min 30 s now.",
  ],
  running: [
    { action: call },
    Kind.OUTCOME,
    "s: attempt 1 of 8 of pay.Pay/Charge is under way at pay on a, for 1 min 30 s now.",
  ],
  closing: [
    { action: call, before: [cancelled] },
    Kind.CLOSING,
    "s: attempt 1 of 8 of pay.Pay/Charge is being stopped, how it ended is awaited, for 1 min 30 s now.",
  ],
  backingOff: [
    { action: call, before: [failedOnce], around: { nowMs: epochMs + 1_000 } },
    Kind.BACKOFF,
    "s: attempt 2 of 8 of pay.Pay/Charge begins in 1 s. The last error: ABORTED: busy, try later",
  ],
  waiting: [{ action: { kind: "wait", forMs: 26 * 3_600_000 } }, Kind.TIMER, "s: goes on in 1 d 1 h."],
  listening: [
    { action: { kind: "signal", name: "go", timeoutMs: 150_000 }, signals: ["go"] },
    Kind.SIGNAL,
    "s: waits for signal go, for 1 min 30 s now, for 1 min more at the most.",
  ],
  asking: [
    { action: { kind: "approve" } },
    Kind.APPROVAL,
    "s: waits for anybody to approve or reject, for 1 min 30 s now.",
  ],
  following: [
    { action: { kind: "run", workflow: "x.X/Sub" } },
    Kind.CHILD,
    expect.stringMatching(/^s: waits for its child, run [0-9a-f]{32} of x\.X\/Sub, for 1 min 30 s now\.$/) as string,
  ],
  emitting: [
    { action: { kind: "emit", subject: "'shop.x'" } },
    Kind.MESSAGE,
    "s: its message is being stored, for 1 min 30 s now.",
  ],
  verifying: [
    {
      action: {
        kind: "call",
        method: "pay.Pay/Charge",
        doubt: "VERIFY",
        verify: { method: "pay.Pay/Find", done: "true" },
      },
      before: [(n) => outcomeAt(n, 1_000, attempt, { $case: "failed", value: makeFailure("UNAVAILABLE", "dropped") })],
    },
    Kind.VERIFYING,
    "s: whether its call was carried out is not known, pay.Pay/Find is being asked. The last error: UNAVAILABLE: dropped",
  ],
  inside: undefined,
  undoing: undefined,
  paused: [
    { action: { kind: "call", method: "pay.Pay/Charge", attempts: 1 }, before: [failedOnce] },
    Kind.INCIDENT,
    "s: pay.Pay/Charge failed at its only attempt: ABORTED: busy, try later. A person decides: retry, skip, patch, fail or compensate, for 1 min 29 s now.",
  ],
  completed: undefined,
  failed: undefined,
  skipped: undefined,
  cancelled: undefined,
};

const told = Object.entries(states).flatMap(([state, row]) => (row === undefined ? [] : [[state, ...row] as const]));

test.each(told)("a step that is %s tells what it waits for", (_state, scene, kind, sentence) => {
  const { waiting, ...explanation } = explainCase(scene);
  expect(explanation).toEqual({ sentence, more: 0 });
  expect(waiting).toMatchObject([{ kind, step: kind === Kind.PAUSED ? "" : "s" }]);
});

describe("what others know is told as well", () => {
  const rows: readonly (readonly [string, Case, Kind, string])[] = [
    [
      "nobody offers the service",
      { action: call, around: { offersOf: () => [] } },
      Kind.SIDECAR,
      "s: no sidecar offers pay.Pay, attempt 1 of 8 of pay.Pay/Charge waits for one, for 1 min 30 s now.",
    ],
    [
      "all who offer it hold its calls back",
      {
        action: call,
        around: { offersOf: () => ["a", "b", "c", "d", "e"].map((sidecar) => ({ sidecar, broken: true })) },
      },
      Kind.BREAKER,
      "s: too many calls of pay.Pay/Charge have failed: a, b, c and 2 more let one through now and then, attempt 1 of 8 of pay.Pay/Charge waits, for 1 min 30 s now.",
    ],
    [
      "the method is limited",
      { action: call, around: { isLimited: () => true } },
      Kind.LIMIT,
      "s: attempt 1 of 8 of pay.Pay/Charge is under way or waits for its turn, for the method is limited, for 1 min 30 s now.",
    ],
    [
      "the catalog has not been heard yet",
      { action: call, around: { offersOf: () => undefined } },
      Kind.OUTCOME,
      "s: attempt 1 of 8 of pay.Pay/Charge is under way, for 1 min 30 s now.",
    ],
    [
      "an operator holds its calls back",
      { action: call, before: [deferred(true)], around: { holdOf: () => ({ reason: "bank is down", actor: "" }) } },
      Kind.HOLD,
      "s: calls of pay.Pay/Charge are held back (bank is down), for 1 min 30 s now; release lets them go on.",
    ],
    [
      "no service that runs fits it, and it is held",
      {
        action: call,
        before: [deferred(true)],
        around: { driftOf: () => "drift: pay.Pay/Charge as it runs does not fit" },
      },
      Kind.DRIFT,
      "s: drift: pay.Pay/Charge as it runs does not fit, for 1 min 30 s now; a service that fits lets it go on.",
    ],
    [
      "no service that runs fits it, and its task is in the queue",
      { action: call, around: { driftOf: () => "drift: pay.Pay/Charge as it runs does not fit" } },
      Kind.DRIFT,
      "s: drift: pay.Pay/Charge as it runs does not fit, for 1 min 30 s now; a service that fits lets it go on.",
    ],
    [
      "NATS takes no tasks",
      { action: call, before: [deferred(false)], around: { nowMs: epochMs + 2_000 } },
      Kind.WRITE,
      "s: its task could not be written, NATS takes none: it is tried again in 30 s.",
    ],
  ];
  test.each(rows)("%s", (_what, scene, kind, sentence) => {
    const explanation = explainCase(scene);
    expect(explanation.sentence).toBe(sentence);
    expect(explanation.waiting[0]?.kind).toBe(kind);
  });
});

test("what a person can do something about comes first, and the others are counted", () => {
  const plan = makePlan({
    steps: [
      {
        id: "all",
        action: {
          kind: "parallel",
          branches: [
            ...Array.from({ length: 120 }, (_, i) => ({
              steps: [{ id: `w${i}`, action: { kind: "wait", forMs: 60_000 } as const }],
            })),
            { steps: [{ id: "charge", action: { kind: "call", method: "pay.Pay/Charge", attempts: 1 } as const }] },
          ],
        },
      },
    ],
  });
  const state = newRun(testRunId);
  advance(plan, state, eventAt(1, 0, { $case: "runStarted", value: makeStarted() }));
  advance(plan, state, outcomeAt(2, 0, { ...attempt, step: "charge" }, { $case: "failed", value: busy }));
  const { sentence, waiting, more } = explain(waitsOf(plan, state), here);
  expect(sentence).toMatch(/^charge: pay\.Pay\/Charge failed at its only attempt.* \(and 120 more steps wait\)$/);
  expect([waiting.length, more]).toEqual([100, 21]);
});

test("a run that failed and whose call may still be under way at another sidecar tells that it waits for its end", () => {
  const plan = makePlan({ steps: [{ id: "s", action: { kind: "call", method: "pay.Pay/Charge", attempts: 1 } }] });
  const state = newRun(testRunId);
  advance(plan, state, eventAt(1, 0, { $case: "runStarted", value: makeStarted() }));
  advance(plan, state, outcomeAt(2, 0, attempt, { $case: "failed", value: busy }, { delivery: 2 }));
  const value = { ...asked, step: "s", compensation: false };
  advance(plan, state, eventAt(3, 0, { $case: "failRequested", value }));
  expect(explain(waitsOf(plan, state), here)).toMatchObject({
    sentence:
      "s: attempt 1 of 1 of pay.Pay/Charge is being stopped, how it ended is awaited, for 1 min 30 s now. The last error: ABORTED: busy, try later",
    waiting: [{ kind: Kind.CLOSING }],
  });
});

test("a run that ends, and one that has ended, tell so", () => {
  const plan = makePlan({ steps: [{ id: "s", action: { kind: "let", value: "'x'" } }] });
  const state = newRun(testRunId);
  expect(waitsOf(plan, state)).toEqual([]);
  advance(plan, state, eventAt(1, 0, { $case: "runStarted", value: makeStarted() }));
  expect(explain(waitsOf(plan, state), here).sentence).toBe("the run: its end is being written.");
  const ended = {
    state: Run_State.COMPLETED,
    response: new Uint8Array(),
    status: undefined,
    step: "",
    responsePayload: undefined,
  };
  advance(plan, state, eventAt(2, 0, { $case: "runEnded", value: ended }));
  expect(explain(waitsOf(plan, state), here)).toEqual({ sentence: "the run: has ended.", waiting: [], more: 0 });
});
