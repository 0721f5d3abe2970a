import { expect, test } from "vitest";
import { AttemptId_Phase as Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { RpcStatus } from "../../../proto/gen/sidestep/internal/v1/rpc.ts";
import {
  HistoryEvent_Kind as Kind,
  Incident_Reason,
  Run,
  Run_State,
  StepStatus_State as State,
} from "../../../proto/gen/sidestep/v1/run.ts";
import { advance } from "./advance.ts";
import { describeRun } from "./describe.ts";
import { describeEvent } from "./describeEvent.ts";
import { attemptStanding, claimOf } from "./standing.ts";
import { newRun } from "./state.ts";
import { epochMs } from "./testing/expression.ts";
import { makePlan } from "./testing/plan.ts";
import { eventAt, makeFailure, makeStarted, outcomeAt, testRunId } from "./testing/records.ts";

const plan = makePlan({
  timeoutMs: 60_000,
  steps: [
    { id: "reserve", undo: { method: "stock.Stock/Release" }, action: { kind: "call", method: "stock.Stock/Reserve" } },
    { id: "gift", when: "false", action: { kind: "let", value: "'x'" } },
    {
      id: "both",
      action: {
        kind: "parallel",
        branches: [
          { steps: [{ id: "pause", action: { kind: "wait", forMs: 5_000 } }] },
          {
            steps: [{ id: "charge", action: { kind: "call", method: "pay.Pay/Charge", attempts: 1, noticeMs: 1_000 } }],
          },
        ],
      },
    },
  ],
});

const reserve = { step: "reserve", generation: 0, phase: 0, attempt: 1 } as const;
const charge = { ...reserve, step: "charge" } as const;
const details = RpcStatus.encode({
  code: 13,
  message: "bug",
  details: [{ typeUrl: "type.googleapis.com/pay.Why", value: Uint8Array.of(7) }],
}).finish();
const at = (ms: number): { seconds: bigint; nanos: number } => ({ seconds: BigInt((epochMs + ms) / 1_000), nanos: 0 });

test("a run shows its steps in the order in which they began, what each waits for, and its incidents", () => {
  const state = newRun(testRunId);
  const failure = makeFailure("INTERNAL", "bug", { details });
  advance(plan, state, eventAt(1, 0, { $case: "runStarted", value: makeStarted({ key: "order-1", actor: "ann" }) }));
  advance(plan, state, outcomeAt(2, 1_000, reserve, { $case: "completed", value: Uint8Array.of(1, 2) }));
  advance(plan, state, outcomeAt(3, 2_000, charge, { $case: "failed", value: failure }));

  const run = describeRun(plan, state);

  expect(run).toMatchObject({
    runId: testRunId,
    workflow: "test.v1.Workflow/Run",
    version: 1,
    key: "order-1",
    state: Run_State.PAUSED,
    startedAt: at(0),
    endedAt: undefined,
    deadline: at(60_000),
    traceId: testRunId,
    requestType: "test.v1.Request",
    status: undefined,
  });
  expect(run.steps.map(({ path, kind, state: now, attempt }) => [path, kind, now, attempt])).toEqual([
    ["reserve", "call", State.COMPLETED, 1],
    ["gift", "let", State.SKIPPED, 0],
    ["both", "parallel", State.RUNNING, 0],
    ["pause", "wait", State.WAITING, 0],
    ["charge", "call", State.PAUSED, 1],
  ]);
  expect(run.steps[0]).toMatchObject({
    result: Uint8Array.of(1, 2),
    resultType: "test.v1.Response",
    endedAt: at(1_000),
  });
  expect(run.steps[3]).toMatchObject({ nextAt: at(6_000) });
  expect(run.steps[4]).toMatchObject({
    maybeExecuted: true,
    method: "pay.Pay/Charge",
    lastError: { code: 13, message: "bug" },
  });
  expect(run.incidents).toMatchObject([
    {
      step: "charge",
      compensation: false,
      reason: Incident_Reason.EXHAUSTED,
      error: {
        code: 13,
        message: "bug",
        // Nobody here knows what a pay.Why holds.
        details: [{ typeUrl: "type.googleapis.com/pay.Why", value: new Uint8Array() }],
      },
      since: at(2_000),
      attempts: 1,
    },
  ]);
  // Whatever is described can be sent.
  expect(Run.decode(Run.encode(run).finish()).steps).toHaveLength(5);
});

test("a run that is undone shows why, and its compensations behind its steps", () => {
  const state = newRun(testRunId);
  advance(plan, state, eventAt(1, 0, { $case: "runStarted", value: makeStarted() }));
  advance(plan, state, outcomeAt(2, 1_000, reserve, { $case: "completed", value: new Uint8Array() }));
  advance(plan, state, outcomeAt(3, 2_000, charge, { $case: "failed", value: makeFailure("NOT_FOUND", "no card") }));

  const run = describeRun(plan, state);

  expect(run).toMatchObject({ state: Run_State.COMPENSATING, status: { code: 5, message: "no card" } });
  expect(run.steps.at(-1)).toMatchObject({
    path: "reserve",
    kind: "call",
    compensation: true,
    method: "stock.Stock/Release",
    state: State.RUNNING,
  });
});

test("a run that has ended shows its answer; what was still open then was given up", () => {
  const state = newRun(testRunId);
  advance(plan, state, eventAt(1, 0, { $case: "runStarted", value: makeStarted() }));
  const turn = advance(
    plan,
    state,
    eventAt(2, 1_000, { $case: "terminateRequested", value: { reason: "it burns", actor: "ann", requestId: "1" } }),
  );
  const end = turn.commands.find((command) => command.kind === "endRun");
  advance(
    plan,
    state,
    eventAt(3, 2_000, {
      $case: "runEnded",
      value: end?.ended ?? {
        state: 0,
        response: new Uint8Array(),
        status: undefined,
        step: "",
        responsePayload: undefined,
      },
    }),
  );

  const run = describeRun(plan, state);

  expect(run).toMatchObject({
    state: Run_State.TERMINATED,
    endedAt: at(2_000),
    status: { code: 10, message: "the run was terminated: it burns" },
  });
  expect(run.steps.map((step) => step.state)).toEqual([State.CANCELLED]);
});

test("an attempt without an outcome after queue_notice shows as one that no sidecar takes", () => {
  const alone = makePlan({
    steps: [{ id: "charge", action: { kind: "call", method: "pay.Pay/Charge", noticeMs: 1_000 } }],
  });
  const state = newRun(testRunId);
  advance(alone, state, eventAt(1, 0, { $case: "runStarted", value: makeStarted() }));
  expect(describeRun(alone, state).steps[0]?.noSidecar).toBe(false);
  const record = eventAt(2, 31_000, { $case: "timerFired", value: { number: 1, dueMs: 0 } });
  const turn = advance(alone, state, record);
  expect(describeRun(alone, state).steps[0]?.noSidecar).toBe(true);
  expect(describeEvent(alone, state, record, turn)).toMatchObject({
    kind: Kind.TIMER_FIRED,
    step: "charge",
    attempt: 1,
    text: "no outcome yet: does a sidecar offer pay.Pay/Charge?",
  });
});

test("the history tells each record in words: who, what, and whether it counted", () => {
  const state = newRun(testRunId);
  const records = [
    eventAt(1, 0, { $case: "runStarted", value: makeStarted({ actor: "ann" }) }),
    outcomeAt(2, 500, reserve, { $case: "completed", value: Uint8Array.of(9) }, { authentic: false }),
    outcomeAt(3, 1_000, reserve, { $case: "completed", value: Uint8Array.of(1) }),
    outcomeAt(4, 1_100, reserve, { $case: "completed", value: Uint8Array.of(1) }),
    outcomeAt(5, 2_000, charge, { $case: "failed", value: makeFailure("INTERNAL", "bug", { details }) }),
    eventAt(6, 3_000, {
      $case: "retryRequested",
      value: { step: "charge", compensation: false, reason: "fixed", actor: "bob", requestId: "r", backoff: false },
    }),
    eventAt(7, 4_000, { $case: "cancelRequested", value: { reason: "changed my mind", actor: "ann", requestId: "c" } }),
    eventAt(8, 9_000, { $case: "attemptExpired", value: { attempt: { ...charge, attempt: 2 } } }),
  ];

  const shown = records.map((it) => describeEvent(plan, state, it, advance(plan, state, it)));

  expect(
    shown.map(({ sequence, kind, step, attempt, actor, ignored }) => [
      Number(sequence),
      kind,
      step,
      attempt,
      actor,
      ignored,
    ]),
  ).toEqual([
    [1, Kind.RUN_STARTED, "", 0, "ann", false],
    [2, Kind.STEP_COMPLETED, "reserve", 1, "", true],
    [3, Kind.STEP_COMPLETED, "reserve", 1, "", false],
    [4, Kind.STEP_COMPLETED, "reserve", 1, "", true],
    [5, Kind.ATTEMPT_FAILED, "charge", 1, "", false],
    [6, Kind.RETRY_REQUESTED, "charge", 0, "bob", false],
    [7, Kind.CANCEL_REQUESTED, "", 0, "ann", false],
    [8, Kind.ATTEMPT_EXPIRED, "charge", 2, "", false],
  ]);
  expect(shown[0]).toMatchObject({
    payloadType: "test.v1.Request",
    text: "test.v1.Workflow/Run version 1",
    time: at(0),
  });
  expect(shown[1]?.text).toBe("its token is not the attempt's");
  expect(shown[2]).toMatchObject({ payload: Uint8Array.of(1), payloadType: "test.v1.Response" });
  expect(shown[4]?.status).toMatchObject({
    code: 13,
    message: "bug",
    details: [{ typeUrl: "type.googleapis.com/pay.Why" }],
  });
  expect(shown[5]?.text).toBe("fixed");
});

test("the history tells who decided, and in whose name where that is another's", () => {
  const approving = makePlan({ steps: [{ id: "ask", action: { kind: "approve" } }] });
  const told = (by: string, actor: string, comment = "") => {
    const state = newRun(testRunId);
    advance(approving, state, eventAt(1, 0, { $case: "runStarted", value: makeStarted() }));
    const decision = { step: "ask", approved: true, form: new Uint8Array(), by, comment, requestId: "", actor };
    const record = eventAt(2, 1_000, { $case: "decisionMade", value: decision });
    return describeEvent(approving, state, record, advance(approving, state, record));
  };
  expect(told("ann", "root", "she is away")).toMatchObject({
    kind: Kind.DECISION_MADE,
    actor: "root",
    text: "approved in the name of ann: she is away",
  });
  expect(told("ann", "ann")).toMatchObject({ actor: "ann", text: "approved" });
  // As what wrote it before said it.
  expect(told("ann", "")).toMatchObject({ actor: "ann", text: "approved" });
});

test("attributes that have a value show as JSON; one that fails is left out", () => {
  const withAttributes = makePlan({
    attributes: { broken: "oops(no_such_key)" },
    steps: [{ id: "a", action: { kind: "wait", forMs: 1 } }],
  });
  const state = newRun(testRunId);
  advance(withAttributes, state, eventAt(1, 0, { $case: "runStarted", value: makeStarted() }));
  expect(describeRun(withAttributes, state).attributes).toEqual({});
});

test("who asks about an attempt is told where it stands, and who has claimed it", () => {
  const once = makePlan({
    steps: [{ id: "charge", action: { kind: "call", method: "pay.Pay/Charge", doubt: "PAUSE" } }],
  });
  const state = newRun(testRunId);
  expect(attemptStanding(state, charge)).toBe("closed");
  advance(once, state, eventAt(1, 0, { $case: "runStarted", value: makeStarted() }));
  expect(attemptStanding(state, charge)).toBe("open");
  expect(attemptStanding(state, { ...charge, attempt: 2 })).toBe("closed");
  advance(once, state, outcomeAt(2, 1, charge, { $case: "started", value: {} }, { delivery: 1 }));
  advance(once, state, outcomeAt(3, 2, charge, { $case: "started", value: {} }, { delivery: 2 }));
  expect(attemptStanding(state, charge)).toBe("claimed");
  expect(claimOf(state, charge)).toEqual({ sidecarId: "side-1", delivery: 1 });
  advance(once, state, eventAt(4, 3, { $case: "cancelRequested", value: { reason: "", actor: "", requestId: "" } }));
  expect(attemptStanding(state, charge)).toBe("closed");
});

test("what a verify rpc answers is told as that, and not as the step's result", () => {
  const call = {
    kind: "call",
    method: "pay.Pay/Charge",
    timeoutMs: 1_000,
    attempts: 3,
    backoffMs: 10,
    exhausted: "FAIL",
    doubt: "VERIFY",
    verify: { method: "pay.Pay/Find", request: "input", done: "answer=='yes'", result: "answer" },
  } as const;
  const verified = makePlan({ steps: [{ id: "charge", action: call }] });
  const run = newRun(testRunId);
  const forward = { step: "charge", generation: 0, phase: Phase.FORWARD, attempt: 1 };
  const asked = { ...forward, phase: Phase.VERIFY };
  const log = [
    eventAt(1, 0, { $case: "runStarted", value: makeStarted() }),
    outcomeAt(2, 100, forward, { $case: "started", value: {} }),
    outcomeAt(3, 200, forward, { $case: "failed", value: makeFailure("UNAVAILABLE", "lost") }),
    outcomeAt(4, 300, asked, { $case: "failed", value: makeFailure("UNAVAILABLE", "away") }),
    outcomeAt(5, 20_000, { ...asked, attempt: 2 }, { $case: "completed", value: new TextEncoder().encode("no") }),
  ];
  const told = log.map((it) => describeEvent(verified, run, it, advance(verified, run, it)));
  expect(told.at(-1)?.payloadType).toBe("test.v1.Verified");
  expect(told.map(({ kind, text }) => [kind, text])).toEqual([
    [Kind.RUN_STARTED, "test.v1.Workflow/Run version 1"],
    [Kind.ATTEMPT_CLAIMED, ""],
    [Kind.ATTEMPT_FAILED, ""],
    [Kind.ATTEMPT_FAILED, "verify"],
    [Kind.VERIFY_ANSWERED, ""],
  ]);
});
