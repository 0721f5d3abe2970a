import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { RunEnded, RunStarted } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { AttemptId } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { RpcStatus } from "../../../proto/gen/sidestep/internal/v1/rpc.ts";
import { Sidecar } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { Incident_Reason, Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import { fromHex } from "../../../proto/wire/runId.ts";
import type { Action, StepPlan } from "../engine/plan.ts";
import { newRun } from "../engine/state.ts";
import type { AttemptEnded, StepAddress, StepEnded, Transition } from "../engine/transition.ts";
import { attemptSpanId, runSpanId, startedSpanId, stepSpanId } from "./spanId.ts";
import { isSampled, spansOfTurn } from "./spans.ts";
import type { TracedRun } from "./spans.ts";

const sha256 = (text: string): Uint8Array => createHash("sha256").update(text).digest();
const runId = "0192f7a1b2c30abc1122334455667788";
const run: TracedRun = {
  ...newRun(runId),
  started: RunStarted.fromPartial({
    workflow: "shop.v1.OrderWorkflow/Fulfil",
    version: 3,
    trace: { traceId: fromHex(runId), sampled: true },
  }),
};
const charge: AttemptId = { step: "charge", generation: 0, phase: 0, attempt: 2 };
const unavailable = RpcStatus.fromPartial({ code: 14, message: "no route" });

function makePlan(action: Action): StepPlan {
  const names = { name: "", id: "", title: "", resultType: "", isRedacted: false };
  return { index: 0, ...names, when: undefined, action, compensate: undefined, lock: undefined };
}

const callPlan = makePlan({
  kind: "call",
  call: {
    method: "payment.v1.PaymentService/Charge",
    request: undefined,
    requestType: "",
    responseType: "",
    resultType: "",
    stream: undefined,
    passesInput: false,
    headers: [],
    timeoutMs: 0,
    stepTimeoutMs: undefined,
    queueNoticeMs: 0,
    retry: { attemptsMax: 1, backoffMs: 0, backoffMaxMs: 0, multiplier: 1, on: new Set() },
    onDoubt: 0,
    onExhausted: 0,
    isIdempotent: false,
    isClaimed: false,
    verify: undefined,
  },
});

function makeAttempt(more: Partial<AttemptEnded>): AttemptEnded {
  return {
    kind: "attemptEnded",
    attempt: charge,
    method: "payment.v1.PaymentService/Charge",
    issuedMs: 1000,
    startedMs: 1004.5,
    endedMs: 1010,
    result: "completed",
    status: undefined,
    peer: "127.0.0.1:50052",
    sidecar: Sidecar.fromPartial({ id: "s1", name: "payment-sidecar" }),
    delivery: 1,
    sent: true,
    counted: true,
    ...more,
  };
}

function makeStep(more: Partial<StepEnded>): StepEnded {
  const address: StepAddress = { step: "charge", generation: 0, phase: 0 };
  return {
    kind: "stepEnded",
    address,
    plan: callPlan,
    parent: undefined,
    startedMs: 990,
    endedMs: 1011,
    result: "completed",
    attempts: 2,
    status: undefined,
    maybeExecuted: false,
    ...more,
  };
}

function spanOf(transition: Transition, of: TracedRun = run): ReturnType<typeof spansOfTurn>[number] {
  const [span, ...more] = spansOfTurn(of, [transition], sha256);
  if (span === undefined || more.length > 0) throw new Error("expected one span");
  return span;
}

test("a completed attempt is a client span of its sidecar below its step", () => {
  expect(spanOf(makeAttempt({}))).toEqual({
    traceId: runId,
    spanId: attemptSpanId(runId, charge, sha256),
    parentSpanId: stepSpanId(runId, charge, sha256),
    parentIsRemote: false,
    tracestate: "",
    name: "payment.v1.PaymentService/Charge",
    kind: "client",
    startMs: 1004.5,
    endMs: 1010,
    status: { kind: "unset" },
    attributes: {
      "rpc.system.name": "grpc",
      "rpc.method": "payment.v1.PaymentService/Charge",
      "rpc.status_code": "OK",
      "server.address": "127.0.0.1",
      "server.port": 50052,
      "sidestep.run.id": runId,
      "sidestep.step": "charge",
      "sidestep.step.phase": "forward",
      "sidestep.attempt": 2,
      "sidestep.attempt.result": "completed",
      "sidestep.attempt.queued_ms": 4.5,
    },
    events: [],
    resource: { kind: "sidecar", sidecar: Sidecar.fromPartial({ id: "s1", name: "payment-sidecar" }) },
  });
});

test("a failed attempt has its code and, when another one follows, the pause before it", () => {
  const address: StepAddress = { step: "charge", generation: 0, phase: 0 };
  const spans = spansOfTurn(
    run,
    [
      makeAttempt({ result: "failed", status: unavailable, delivery: 2 }),
      { kind: "backoffBegan", address, attempt: 2, atMs: 1012, dueMs: 1412 },
    ],
    sha256,
  );
  expect(spans).toHaveLength(1);
  expect(spans[0]).toMatchObject({
    status: { kind: "error", message: "no route" },
    attributes: { "rpc.status_code": "UNAVAILABLE", "error.type": "UNAVAILABLE", "sidestep.attempt.delivery": 2 },
    events: [{ name: "retry", timeMs: 1012, attributes: { "sidestep.retry.delay_ms": 400 } }],
  });
});

test("an attempt of which nothing was ever heard is the orchestrator's to tell", () => {
  const span = spanOf(makeAttempt({ result: "expired", delivery: 0, peer: "", sidecar: undefined, startedMs: 1000 }));
  expect(span.resource).toEqual({ kind: "orchestrator" });
  expect(span.status).toEqual({ kind: "error", message: "no outcome came, and none can come any more" });
  expect(Object.keys(span.attributes)).not.toContain("rpc.status_code");
});

test("a clock that runs behind makes no span end before it starts", () => {
  expect(spanOf(makeAttempt({ endedMs: 1000 })).endMs).toBe(1004.5);
});

test("a step stands below the run, or below the step whose block it is in", () => {
  expect(spanOf(makeStep({}))).toMatchObject({
    name: "charge",
    kind: "internal",
    parentSpanId: runSpanId(runId, sha256),
    attributes: { "sidestep.step.kind": "call", "sidestep.step.result": "completed", "sidestep.step.attempts": 2 },
  });
  const parent: StepAddress = { step: "pay_and_quote", generation: 0, phase: 0 };
  expect(spanOf(makeStep({ parent })).parentSpanId).toBe(stepSpanId(runId, parent, sha256));
  expect(
    spanOf(makeStep({ plan: makePlan({ kind: "parallel", branches: [], need: 0, takesFirst: false }), attempts: 0 }))
      .attributes,
  ).toMatchObject({
    "sidestep.step.kind": "parallel",
  });
});

test("a compensation is told by name, phase and id from the step that it undoes", () => {
  const address: StepAddress = { step: "charge", generation: 0, phase: 1 };
  const span = spanOf(makeStep({ address, result: "failed", status: unavailable, maybeExecuted: true }));
  expect(span).toMatchObject({
    name: "compensate charge",
    status: { kind: "error", message: "no route" },
    attributes: {
      "sidestep.step": "charge",
      "sidestep.step.phase": "compensate",
      "sidestep.step.maybe_executed": true,
      "error.type": "UNAVAILABLE",
    },
  });
  expect(span.spanId).not.toBe(spanOf(makeStep({})).spanId);
});

test("a skipped step leaves no span", () => {
  expect(spansOfTurn(run, [makeStep({ result: "skipped" })], sha256)).toEqual([]);
});

test("a run is findable from its first event on, and complete at its end", () => {
  expect(spanOf({ kind: "runStarted", atMs: 990 })).toMatchObject({
    spanId: startedSpanId(runId, sha256),
    parentSpanId: runSpanId(runId, sha256),
    startMs: 990,
    endMs: 990,
    attributes: {
      "sidestep.run.id": runId,
      "sidestep.workflow": "shop.v1.OrderWorkflow/Fulfil",
      "sidestep.workflow.version": 3,
    },
  });
  const ended = RunEnded.fromPartial({
    state: Run_State.COMPENSATED,
    status: { code: 9, message: "declined" },
    step: "charge",
  });
  expect(spanOf({ kind: "runEnded", ended, startedMs: 990, endedMs: 1200 })).toMatchObject({
    spanId: runSpanId(runId, sha256),
    parentSpanId: undefined,
    kind: "server",
    startMs: 990,
    endMs: 1200,
    status: { kind: "error", message: "declined" },
    attributes: {
      "sidestep.run.state": "COMPENSATED",
      "sidestep.step": "charge",
      "rpc.status_code": "FAILED_PRECONDITION",
    },
  });
});

test("a run that joined its caller's trace stands below the caller's span there", () => {
  const joined: TracedRun = {
    ...newRun(runId),
    started: RunStarted.fromPartial({
      ...run.started,
      trace: {
        traceId: fromHex("4bf92f3577b34da6a3ce929d0e0e4736"),
        parentSpanId: fromHex("00f067aa0ba902b7"),
        sampled: true,
        tracestate: "a=b",
      },
    }),
  };
  const ended = RunEnded.fromPartial({ state: Run_State.COMPLETED });
  expect(spanOf({ kind: "runEnded", ended, startedMs: 1, endedMs: 2 }, joined)).toMatchObject({
    traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
    parentSpanId: "00f067aa0ba902b7",
    parentIsRemote: true,
    tracestate: "a=b",
    status: { kind: "unset" },
    attributes: { "rpc.status_code": "OK", "sidestep.run.state": "COMPLETED" },
  });
});

test("a step that waits for a person says so at once", () => {
  const address: StepAddress = { step: "charge", generation: 0, phase: 0 };
  const opened: Transition = {
    kind: "incidentOpened",
    address,
    reason: Incident_Reason.EXHAUSTED,
    status: unavailable,
    attempts: 8,
    atMs: 1300,
  };
  expect(spanOf(opened)).toMatchObject({
    name: "incident",
    parentSpanId: stepSpanId(runId, address, sha256),
    startMs: 1300,
    status: { kind: "error", message: "no route" },
    attributes: { "sidestep.incident.reason": "EXHAUSTED" },
  });
});

test.each([
  ["unix:/run/payment.sock", { "server.address": "unix:/run/payment.sock" }],
  ["[::1]:50051", { "server.address": "::1", "server.port": 50051 }],
  ["", {}],
])("a peer %j is told as %j", (peer, expected) => {
  const { attributes } = spanOf(makeAttempt({ peer }));
  const told = Object.entries(attributes).filter(([key]) => key.startsWith("server."));
  expect(Object.fromEntries(told)).toEqual(expected);
});

test("whether a run is exported was decided at its start", () => {
  expect(isSampled(run.started)).toBe(true);
  expect(isSampled(RunStarted.fromPartial({ trace: { sampled: false } }))).toBe(false);
  expect(isSampled(undefined)).toBe(false);
});
