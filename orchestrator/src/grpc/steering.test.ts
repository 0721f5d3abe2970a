import { status } from "@grpc/grpc-js";
import { afterAll, expect, test } from "vitest";
import {
  FittingAction_Kind,
  Incident_Reason,
  StepStatus,
  StepStatus_State,
} from "../../../proto/gen/sidestep/v1/run.ts";
import type { Incident, PendingApproval } from "../../../proto/gen/sidestep/v1/run.ts";
import { CallRequest, DecideRequest, MethodLimit, SignalRunRequest } from "../../../proto/gen/sidestep/v1/runs.ts";
import { withFitting } from "./fitting.ts";
import { deleteRun } from "./deleting.ts";
import { lengthsMax } from "./lengths.ts";
import type { LengthName } from "./lengths.ts";
import { noIncident } from "./runFailure.ts";
import { makePlan, someRun } from "./testing.ts";
import { ask, openTalk, text } from "./testing/talk.ts";
import type { Open } from "./testing/talk.ts";

const closing = new AsyncDisposableStack();
afterAll(() => closing.disposeAsync());
const open = (streaming = false): Promise<Open> => openTalk(closing, streaming);

const incident: Incident = {
  step: "charge",
  compensation: false,
  reason: Incident_Reason.EXHAUSTED,
  error: undefined,
  since: undefined,
  attempts: 1,
};

test("a skip or a patch that is not of the call's type is refused before anything is written", async () => {
  const { front, runs } = await open();
  front.run = { incidents: [incident] };
  front.plan = withCall();
  const asked = { runId: someRun, step: "", reason: "r" };
  const wrong = Buffer.of(0x0a, 0xff);
  expect(await ask(runs.skip.bind(runs), { ...asked, result: wrong })).toMatchObject({ reason: "WRONG_TYPE" });
  // No expression builds the request: the method says what it takes.
  expect(await ask(runs.patch.bind(runs), { ...asked, request: wrong })).toMatchObject({ reason: "WRONG_TYPE" });
  expect(front.requests).toEqual([]);
  expect(await ask(runs.skip.bind(runs), { ...asked, result: text("ok") })).toMatchObject({ code: status.OK });
  expect(await ask(runs.patch.bind(runs), { ...asked, request: text("ok") })).toMatchObject({ code: status.OK });
  expect(await ask(runs.compensate.bind(runs), asked)).toMatchObject({ code: status.OK });
  front.run = { incidents: [{ ...incident, compensation: true }] };
  expect(await ask(runs.skip.bind(runs), { ...asked, result: text("ok") })).toMatchObject({ reason: "WRONG_TYPE" });
  expect(front.requests.map(({ kind }) => kind)).toEqual(["skip", "patch", "compensate"]);
});

test("a retry without an incident makes the next attempt of the step that backs off; of several it has to be said which", async () => {
  const { front, runs } = await open();
  const waiting = (path: string) =>
    StepStatus.fromPartial({ path, state: StepStatus_State.BACKING_OFF, compensation: path === "b" });
  const asked = { runId: someRun, step: "", reason: "r" };
  front.run = { steps: [waiting("a"), waiting("b")] };
  expect(await ask(runs.retry.bind(runs), asked)).toMatchObject({ reason: "SEVERAL_INCIDENTS" });
  expect(await ask(runs.fail.bind(runs), asked)).toMatchObject({ reason: "NO_INCIDENT" });
  expect(front.requests).toEqual([]);
  // A run that an earlier version has begun may have one of those at work.
  front.revision = 1;
  expect(await ask(runs.retry.bind(runs), { ...asked, step: "b" })).toMatchObject({ reason: "NO_INCIDENT" });
  front.revision = 2;
  expect(await ask(runs.retry.bind(runs), { ...asked, step: "b" })).toMatchObject({ code: status.OK });
  front.run = { ...front.run, incidents: [incident] };
  expect(await ask(runs.retry.bind(runs), asked)).toMatchObject({ code: status.OK });
  expect(front.requests).toMatchObject([
    { kind: "retry", event: { step: "b", compensation: true, backoff: true } },
    { kind: "retry", event: { step: "charge", compensation: false, backoff: false } },
  ]);
});

test("what does not fit is refused with what does, and who comes second is told", async () => {
  const { front, runs } = await open();
  const asked = { runId: someRun, step: "", reason: "r" };
  const steps = ["a", "b", "c", "d", "e", "f", "g"];
  front.run = {
    actions: [
      { kind: FittingAction_Kind.DECIDE, steps },
      { kind: FittingAction_Kind.CANCEL, steps: [] },
    ],
  };
  expect(await ask(runs.fail.bind(runs), asked)).toMatchObject({
    code: status.FAILED_PRECONDITION,
    reason: "NO_INCIDENT",
    metadata: { run_id: someRun, fits: "DECIDE,CANCEL" },
  });
  expect(withFitting(noIncident("r"), { actions: front.run.actions ?? [] }).message).toMatch(
    /; what fits now: decide \(a, b, c, d, e, 2 more\), cancel$/,
  );
  expect(withFitting(noIncident("r"), { actions: [] }).message).toMatch(/; nothing can be done with it now$/);
  front.requested = { kind: "done", ignored: true, refusal: "" };
  expect(await ask(runs.cancel.bind(runs), asked)).toMatchObject({ response: { already: true } });
  expect(await ask(runs.pause.bind(runs), asked)).toMatchObject({ response: { already: true } });
  expect(await ask(runs.resume.bind(runs), asked)).toMatchObject({ reason: "NOT_PAUSED" });
  front.run = { endedAt: { seconds: 1n, nanos: 0 } };
  expect(await ask(runs.terminate.bind(runs), asked)).toMatchObject({ reason: "RUN_ENDED", metadata: { fits: "" } });
  front.requested = { kind: "done", ignored: false, refusal: "" };
  expect(await ask(runs.cancel.bind(runs), asked)).toMatchObject({ response: { already: false } });
});

test("only what has ended is deleted, and what only the archive has goes from there", async () => {
  const { front, runs } = await open();
  const asked = { runId: someRun, reason: "r" };
  expect(await ask(runs.delete.bind(runs), asked)).toMatchObject({ code: status.OK });
  expect(front.requests).toMatchObject([{ kind: "delete", event: { reason: "r" } }]);
  front.requested = { kind: "done", ignored: true, refusal: "" };
  front.run = {};
  expect(await ask(runs.delete.bind(runs), asked)).toMatchObject({ reason: "NOT_ENDED" });
  front.request = () => Promise.resolve({ kind: "unknown" });
  expect(await ask(runs.delete.bind(runs), asked)).toMatchObject({ code: status.NOT_FOUND, reason: "RUN_NOT_FOUND" });
  const event = { reason: "", actor: "", requestId: "" };
  const store = { remove: (id: string) => Promise.resolve(id === someRun) };
  expect(await deleteRun(someRun, event, { front, store })).toMatchObject({ kind: "answer" });
});

test("a skip of a child is checked against the child's response", async () => {
  const { front, runs } = await open();
  front.run = { incidents: [{ ...incident, reason: Incident_Reason.COMMAND_REJECTED }] };
  const { plan: found } = makePlan();
  const responseType = "google.protobuf.StringValue";
  const value = { method: "a.B/C", request: undefined, key: undefined, detach: false, responseType };
  front.plan = makePlan({
    ...found,
    body: { steps: [{ ...blankStep, kind: { $case: "run", value } }], result: undefined },
  });
  const asked = { runId: someRun, step: "", reason: "r" };
  const wrong = Buffer.of(0x0a, 0xff);
  expect(await ask(runs.skip.bind(runs), { ...asked, result: wrong })).toMatchObject({ reason: "WRONG_TYPE" });
  expect(await ask(runs.skip.bind(runs), { ...asked, result: text("ok") })).toMatchObject({ code: status.OK });
});

function withCall() {
  const { plan: found } = makePlan();
  const retry = { attemptsMax: 1, backoffMs: 1, backoffMaxMs: 1, multiplier: 1, on: [] };
  const requestType = "google.protobuf.StringValue";
  const value = { ...blankCall, method: "a.B/C", requestType, responseType: "google.protobuf.StringValue", retry };
  return makePlan({ ...found, body: { steps: [{ ...blankStep, kind: { $case: "call", value } }], result: undefined } });
}

const blankCall = {
  request: undefined,
  headers: [],
  timeoutMs: 1,
  stepTimeoutMs: undefined,
  queueNoticeMs: 1,
  onDoubt: 0,
  onExhausted: 0,
  idempotent: false,
  verify: undefined,
  serverStreaming: false,
  messagesMax: 0,
  bytesMax: 0,
  passesInput: false,
} as const;
const blankStep = {
  index: 0,
  name: "charge",
  id: "charge",
  title: "",
  when: undefined,
  result: undefined,
  compensate: undefined,
  lock: undefined,
} as const;

const approval: PendingApproval = {
  step: "review",
  title: "t",
  detail: "",
  approvers: ["ann"],
  type: "google.protobuf.StringValue",
  since: undefined,
  due: undefined,
};

test("who may not decide, and a form of another type, are refused before anything is written", async () => {
  const { front, runs } = await open();
  const decide = (more: Partial<DecideRequest>) =>
    ask(runs.decide.bind(runs), DecideRequest.fromPartial({ runId: someRun, approved: true, by: "ann", ...more }));
  front.run = { approvals: [] };
  expect(await decide({})).toMatchObject({ code: status.FAILED_PRECONDITION, reason: "NO_APPROVAL" });
  front.run = { approvals: [approval] };
  expect(await decide({ by: "bob" })).toMatchObject({ code: status.PERMISSION_DENIED, reason: "NOT_AN_APPROVER" });
  expect(await decide({ by: "" })).toMatchObject({ reason: "NOT_AN_APPROVER" });
  expect(await decide({ form: Buffer.of(0x0a) })).toMatchObject({
    code: status.INVALID_ARGUMENT,
    reason: "WRONG_TYPE",
  });
  front.run = { approvals: [approval, { ...approval, step: "second" }] };
  expect(await decide({})).toMatchObject({ reason: "SEVERAL_APPROVALS" });
  expect(front.requests).toEqual([]);
  expect(await decide({ step: "review", form: text("fine") })).toMatchObject({ code: status.OK });
  expect(front.requests).toMatchObject([{ kind: "decide", event: { step: "review", by: "ann", approved: true } }]);
  const listed = await ask(runs.listApprovals.bind(runs), { runId: someRun });
  expect(listed.response).toMatchObject({ approvals: [{ step: "review" }, { step: "second" }] });
});

test("what is held is listed until it is released, and what is no target is refused", async () => {
  const { front, runs } = await open();
  const target = { kind: { $case: "service", value: "shop.v1.Orders" } } as const;
  expect(await ask(runs.hold.bind(runs), { target, reason: "broken" })).toMatchObject({ code: status.OK });
  expect(await ask(runs.hold.bind(runs), { target, reason: "again" })).toMatchObject({ code: status.OK });
  const { response } = await ask(runs.listHolds.bind(runs), {});
  expect(response).toMatchObject({ held: [{ target, reason: "broken" }] });
  expect(await ask(runs.release.bind(runs), { target, reason: "" })).toMatchObject({ code: status.OK });
  expect(await ask(runs.release.bind(runs), { target, reason: "" })).toMatchObject({
    code: status.NOT_FOUND,
    reason: "NOT_HELD",
  });
  const wrong = { kind: { $case: "method", value: "nothing" } } as const;
  expect(await ask(runs.hold.bind(runs), { target: wrong, reason: "" })).toMatchObject({ reason: "INVALID_TARGET" });
  front.held = Array.from({ length: 1_000 }, (_, i) => ({
    target: { $case: "service" as const, value: `a.S${i}` },
    reason: "",
    actor: "",
    sinceMs: 0,
  }));
  expect(await ask(runs.hold.bind(runs), { target, reason: "" })).toMatchObject({ reason: "HOLD_LIMIT" });
});

test("a limit is listed until it is lifted, replaces an earlier one, and bounds something", async () => {
  const { runs } = await open();
  const method = "shop.v1.Payments/Charge";
  const rate = { calls: 10, per: { seconds: 60n, nanos: 0 } };
  const set = (limit: Partial<MethodLimit>) =>
    ask(runs.setLimit.bind(runs), { limit: MethodLimit.fromPartial({ method, ...limit }), reason: "" });
  expect(await set({ concurrency: 4 })).toMatchObject({ code: status.OK });
  expect(await set({ concurrencyPerSidecar: 2, rate })).toMatchObject({ code: status.OK });
  const { response } = await ask(runs.listLimits.bind(runs), {});
  expect(response).toMatchObject({ limits: [{ method, concurrency: 0, concurrencyPerSidecar: 2, rate }] });
  expect(await ask(runs.clearLimit.bind(runs), { method, reason: "" })).toMatchObject({ code: status.OK });
  expect(await ask(runs.clearLimit.bind(runs), { method, reason: "" })).toMatchObject({
    code: status.NOT_FOUND,
    reason: "NOT_LIMITED",
  });
  const wrong = [
    {},
    { method: "nothing", concurrency: 1 },
    { concurrency: 10_001 },
    { rate: { ...rate, calls: 0 } },
    { rate: { ...rate, calls: 1_000_001 } },
    { rate: { calls: 1, per: { seconds: 0n, nanos: 999_000_000 } } },
    { rate: { calls: 1, per: { seconds: 86_401n, nanos: 0 } } },
  ];
  for (const limit of wrong) expect(await set(limit)).toMatchObject({ reason: "INVALID_LIMIT" });
  expect(
    await set({ concurrency: 10_000, rate: { calls: 1_000_000, per: { seconds: 86_400n, nanos: 0 } } }),
  ).toMatchObject({ code: status.OK });
  await Promise.all(Array.from({ length: 999 }, (_, number) => set({ method: `a.S/M${number}`, concurrency: 1 })));
  expect(await set({ method: "a.S/M1000", concurrency: 1 })).toMatchObject({ reason: "LIMIT_LIMIT" });
});

test("one durable call is a run of a plan made for it; the same key joins, and its bytes pass as they are", async () => {
  const { front, definitions, runs } = await open();
  front.end({ response: text("answer") });
  const call = (more: Partial<CallRequest>) =>
    ask(runs.call.bind(runs), CallRequest.fromPartial({ method: "a.v1.B/C", request: Buffer.of(1, 255), ...more }));
  expect(await call({ idempotencyKey: "k" })).toMatchObject({ response: { runId: someRun, response: text("answer") } });
  expect(await call({ detach: true })).toMatchObject({ response: { runId: someRun, response: new Uint8Array() } });
  expect(front.starts.map(({ idempotencyKey }) => idempotencyKey)).toEqual(["k", undefined]);
  expect([...(front.starts[0]?.request ?? [])]).toEqual([1, 255]);
  expect(definitions.kept[0]).toMatchObject({ workflow: "sidestep.v1.Runs/Call", methods: ["a.v1.B/C"] });
  expect(await call({ method: "nothing" })).toMatchObject({ code: status.INVALID_ARGUMENT, reason: "INVALID_METHOD" });
  expect(await call({ maxAttempts: 1_001 })).toMatchObject({ reason: "INVALID_NUMBER" });
});

test("texts of callers are taken at their limit, and refused one byte over it, with the limit's name", async () => {
  const { front, runs } = await open();
  front.run = {};
  const cancel = (length: number) => ask(runs.cancel.bind(runs), { runId: someRun, reason: "r".repeat(length) });
  expect(await cancel(lengthsMax.reason)).toMatchObject({ code: status.OK });
  expect(await cancel(lengthsMax.reason + 1)).toMatchObject({
    code: status.INVALID_ARGUMENT,
    reason: "TOO_LONG",
    metadata: { limit: "reason", length: "4097", max: "4096" },
  });
  const signal = (length: number) =>
    ask(runs.signal.bind(runs), {
      ...SignalRunRequest.fromPartial({ runId: someRun, name: "told", payload: text("x") }),
      signalId: "i".repeat(length),
    });
  expect(await signal(lengthsMax.key)).toMatchObject({ code: status.OK });
  expect(await signal(lengthsMax.key + 1)).toMatchObject({ reason: "TOO_LONG", metadata: { limit: "key" } });
  const decide = (more: Partial<DecideRequest>) =>
    ask(runs.decide.bind(runs), DecideRequest.fromPartial({ runId: someRun, approved: true, by: "ann", ...more }));
  const over = (name: LengthName): string => "x".repeat(lengthsMax[name] + 1);
  const named = (limit: LengthName) => ({ code: status.INVALID_ARGUMENT, reason: "TOO_LONG", metadata: { limit } });
  const told = front.requests.length;
  expect(await decide({ by: over("by") })).toMatchObject(named("by"));
  expect(await decide({ comment: over("comment") })).toMatchObject(named("comment"));
  expect(await decide({ step: over("step path") })).toMatchObject(named("step path"));
  const skip = { runId: someRun, step: over("step path"), reason: "", result: Buffer.of() };
  expect(await ask(runs.skip.bind(runs), skip)).toMatchObject(named("step path"));
  const long = SignalRunRequest.fromPartial({ runId: someRun, name: over("name") });
  expect(await ask(runs.signal.bind(runs), long)).toMatchObject(named("name"));
  const target = { kind: { $case: "service", value: "a.B" } } as const;
  expect(await ask(runs.hold.bind(runs), { target, reason: over("reason") })).toMatchObject(named("reason"));
  expect(front.requests).toHaveLength(told);
  expect(front.held).toEqual([]);
});
