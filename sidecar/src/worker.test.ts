import { expect, test } from "vitest";
import { AskReply_Verdict, Failure_Origin, Task } from "../../proto/gen/sidestep/internal/v1/task.ts";
import type { Ending } from "./core/ending.ts";
import type { Delivery } from "./ports.ts";
import { taskOf } from "./testing/tasks.ts";
import { makeGround } from "./testing/workerGround.ts";

const answered: Partial<Ending> = { kind: "answered", response: new Uint8Array([7]) };

function failed(rest: object): Partial<Ending> {
  return {
    kind: "failed",
    code: 14,
    message: "m",
    details: new Uint8Array(),
    pushback: undefined,
    origin: "transport",
    sent: true,
    ...rest,
  };
}

test("a young first delivery runs unasked; its outcome is stored before it is acknowledged", async () => {
  const ground = makeGround();
  ground.deliver({});
  await ground.settle();
  expect(ground.calls.map((call) => call.request)).toEqual([
    {
      service: "shop.v1.Stock",
      method: "shop.v1.Stock/Reserve",
      body: new Uint8Array([1, 2]),
      headers: [],
      timeoutMs: 500,
    },
  ]);
  expect(ground.said).toEqual([]);
  ground.calls[0]?.end(answered);
  await ground.settle();
  expect(ground.asks).toEqual([]);
  expect(ground.outcomes).toMatchObject([{ kind: { $case: "completed" }, delivery: 1, sent: true }]);
  expect(ground.said).toEqual(["1 ack"]);
  expect(ground.ended).toEqual(["OK"]);
});

test.each<[string, Partial<Task>, Partial<Delivery>, { connectedAtMs?: number }, boolean]>([
  ["a recheck", { recheck: true }, {}, {}, true],
  ["a redelivery", {}, { delivery: 2 }, {}, true],
  ["a task stored more than 1 s after its issue", { issuedAtMs: 998_999 }, {}, {}, false],
  ["a task held for more than 1 s", {}, { receivedAtMs: 998_999 }, {}, false],
  ["a task older than the connection", {}, {}, { connectedAtMs: 1_000_001 }, true],
])(
  "%s is asked about before it runs, and its outcome says whether it may have begun before",
  async (_, task, facts, setting, recheck) => {
    const ground = Object.assign(makeGround(), setting, { verdicts: [AskReply_Verdict.OPEN] });
    ground.deliver(task, facts);
    await ground.settle();
    expect(ground.asks).toMatchObject([
      { sidecarId: "s1", running: false, claimed: false, delivery: facts.delivery ?? 1 },
    ]);
    expect(ground.calls).toHaveLength(1);
    ground.calls[0]?.end(answered);
    await ground.settle();
    expect(ground.outcomes).toMatchObject([{ recheck }]);
  },
);

test.each<[string, AskReply_Verdict | undefined, string, string | undefined]>([
  ["closed: it is acknowledged and nothing is told", AskReply_Verdict.CLOSED, "1 ack", undefined],
  ["busy: it is given back", AskReply_Verdict.BUSY, "1 nak 3000", undefined],
  ["not now: it is given back for a little longer each time", AskReply_Verdict.NOT_NOW, "1 nak 1000", undefined],
  ["no answer: it is given back", undefined, "1 nak 1000", undefined],
  ["in doubt: that is its outcome", AskReply_Verdict.DOUBT, "1 ack", "inDoubt"],
])("%s, and it does not run", async (_, verdict, said, outcome) => {
  const ground = Object.assign(makeGround(), { verdicts: [verdict] });
  ground.deliver({}, { delivery: 2 });
  await ground.settle();
  expect(ground.calls).toEqual([]);
  expect(ground.said).toEqual([said]);
  expect(ground.outcomes.map((one) => one.kind?.$case)).toEqual(outcome === undefined ? [] : [outcome]);
});

test("the first task of a plan is asked about by what the service says of itself; one that does not fit goes back", async () => {
  const { MISFIT, OPEN } = AskReply_Verdict;
  const ground = Object.assign(makeGround(), { verdicts: [MISFIT, OPEN], isUnsure: true });
  ground.deliver({});
  await ground.settle();
  expect(ground.asks).toMatchObject([{ contract: "d1", delivery: 1 }]);
  expect(ground.said).toEqual(["1 nak 500"]);
  expect(ground.calls).toEqual([]);
  ground.deliver({});
  await ground.settle();
  expect(ground.learned).toEqual([MISFIT, OPEN]);
  ground.calls[0]?.end(answered);
  await ground.settle();
  // Nobody has begun it before: its age is no reason.
  expect(ground.outcomes).toMatchObject([{ recheck: false }]);
});

test("a task that has waited in the queue is asked about, for it may have been given up since", async () => {
  const ground = Object.assign(makeGround(), { verdicts: [AskReply_Verdict.CLOSED], now: 1_001_001 });
  ground.deliver({}, { age: "fresh" });
  await ground.settle();
  expect(ground.asks).toMatchObject([{ running: false, claimed: false }]);
  expect(ground.calls).toEqual([]);
  expect(ground.said).toEqual(["1 ack"]);
});

test("the same attempt delivered twice runs once, and both deliveries are acknowledged", async () => {
  const ground = makeGround();
  ground.deliver({});
  ground.deliver({}, { delivery: 2, streamSequence: 9 });
  await ground.settle();
  ground.calls[0]?.end(answered);
  await ground.settle();
  expect(ground.calls).toHaveLength(1);
  expect(ground.outcomes).toHaveLength(1);
  expect(ground.said).toEqual(["1 ack", "1 ack"]);
});

test.each([14, 4])(
  "a call that was never sent (code %d) costs no attempt: the task is given back, nothing is told",
  async (code) => {
    const ground = makeGround();
    ground.deliver({});
    await ground.settle();
    ground.calls[0]?.end(failed({ code, sent: false }));
    await ground.settle();
    expect(ground.outcomes).toEqual([]);
    expect(ground.said).toEqual(["1 nak 1000"]);
    expect(ground.unbegun).toEqual([true]);
  },
);

test("the outcome of a task that nobody else has had says so, however often it was given back", async () => {
  const ground = Object.assign(makeGround(), {
    verdicts: [AskReply_Verdict.OPEN, AskReply_Verdict.OPEN],
    now: 1_002_000,
  });
  ground.deliver({}, { delivery: 3, isFirst: true });
  ground.deliver({ number: 2 }, { delivery: 3 });
  await ground.settle();
  for (const call of ground.calls) call.end(failed({ code: 9, origin: "service", sent: true }));
  await ground.settle();
  expect(ground.asks.map(({ delivery }) => delivery)).toEqual([3, 3]);
  expect(ground.outcomes.map(({ delivery, recheck }) => [delivery, recheck])).toEqual([
    [1, false],
    [3, true],
  ]);
});

test("what is given back after its call, or its claim, is not said to be unbegun", async () => {
  const ground = Object.assign(makeGround(), { verdicts: [AskReply_Verdict.NOT_NOW] });
  ground.reported.push({ kind: "stopped" }, { kind: "stored" });
  ground.deliver({});
  await ground.settle();
  ground.calls[0]?.end(answered);
  await ground.settle();
  ground.deliver({ number: 2, claim: true });
  await ground.settle();
  expect(ground.said).toEqual(["1 nak 1000", "2 nak 500"]);
  expect(ground.unbegun).toEqual([false, false]);
});

test.each([
  ["sent", { sent: true }],
  ["answered so by the service", { origin: "service" }],
  ["never sent for a reason that stays", { code: 8, sent: false }],
])("UNAVAILABLE and the like are told when the call was %s", async (_, rest) => {
  const ground = makeGround();
  ground.deliver({});
  await ground.settle();
  ground.calls[0]?.end(failed(rest));
  await ground.settle();
  expect(ground.outcomes).toMatchObject([{ kind: { $case: "failed" } }]);
  expect(ground.said).toEqual(["1 ack"]);
});

test("a claim is durable and granted before the call", async () => {
  const ground = Object.assign(makeGround(), { verdicts: [AskReply_Verdict.NOT_NOW, AskReply_Verdict.OPEN] });
  ground.deliver({ claim: true });
  await ground.settle();
  expect(ground.outcomes.map((one) => one.kind?.$case)).toEqual(["started"]);
  expect(ground.asks).toMatchObject([{ claimed: true }, { claimed: true }]);
  expect(ground.pauses).toEqual([500]);
  expect(ground.calls).toHaveLength(1);
  // It was claimed, so even an unsent call is told: nobody may begin it again unasked.
  ground.calls[0]?.end(failed({ sent: false }));
  await ground.settle();
  expect(ground.outcomes.map((one) => [one.kind?.$case, one.sent])).toEqual([
    ["started", false],
    ["failed", false],
  ]);
});

test("a claim that is not granted is given back and does not run", async () => {
  const ground = Object.assign(makeGround(), { verdicts: [AskReply_Verdict.DOUBT] });
  ground.deliver({ claim: true });
  ground.deliver({ number: 2, claim: true });
  await ground.settle();
  expect(ground.calls).toEqual([]);
  expect(ground.outcomes.map((one) => one.kind?.$case)).toEqual(["started", "started", "inDoubt"]);
  expect(ground.said).toEqual(["1 ack", "2 nak 500"]);
});

test("a claim is asked for as long as the death of an owner lasts, then given back; who drains asks for less long", async () => {
  const ground = makeGround();
  ground.deliver({ claim: true });
  await ground.settle();
  const asked = ground.asks.length;
  expect([asked, ground.now - 1_000_000, ground.said]).toEqual([61, 30_000, ["1 nak 500"]]);
  const draining = Object.assign(makeGround(), { verdicts: [AskReply_Verdict.NOT_NOW] });
  draining.deliver({ claim: true });
  await draining.worker.drain();
  expect(draining.asks).toHaveLength(10);
  expect([ground.calls, draining.calls]).toEqual([[], []]);
});

test("no claim is granted that is not stored", async () => {
  const ground = Object.assign(makeGround(), { reported: [{ kind: "stopped" as const }] });
  ground.deliver({ claim: true });
  await ground.settle();
  expect([ground.asks, ground.calls, ground.said]).toEqual([[], [], ["1 nak 1000"]]);
});

test("a reset ends the call of its attempt only, and how it ended is told", async () => {
  const ground = makeGround();
  ground.deliver({});
  ground.deliver({ number: 2 });
  await ground.settle();
  const { runId, attempt, token } = taskOf(1);
  ground.worker.reset({ runId, attempt, token: new Uint8Array([99]) });
  ground.worker.reset({ runId: new Uint8Array(3), attempt, token });
  expect(ground.calls.map((call) => call.isReset)).toEqual([false, false]);
  ground.worker.reset({ runId, attempt, token });
  await ground.settle();
  expect(ground.calls.map((call) => call.isReset)).toEqual([true, false]);
  expect(ground.outcomes).toMatchObject([
    { kind: { $case: "failed", value: { code: 1, origin: Failure_Origin.TRANSPORT } }, sent: true },
  ]);
});

test("an attempt that is reset while the owner is asked never begins", async () => {
  const ground = Object.assign(makeGround(), { verdicts: [AskReply_Verdict.OPEN] });
  ground.deliver({ recheck: true });
  ground.worker.reset(taskOf(1));
  await ground.settle();
  expect(ground.calls).toEqual([]);
  expect(ground.outcomes).toMatchObject([
    { kind: { $case: "failed", value: { code: 1, origin: Failure_Origin.SIDECAR } }, sent: false },
  ]);
});

test("what runs is extended each 2 s and asked about each 3 s, and a closed attempt is reset although its control message was lost", async () => {
  const ground = makeGround();
  ground.deliver({});
  await ground.settle();
  ground.now += 1_999;
  ground.worker.extend();
  expect(ground.said).toEqual([]);
  ground.now += 1;
  ground.worker.extend();
  expect([ground.said, ground.asks]).toEqual([["1 extend"], []]);
  ground.verdicts.push(AskReply_Verdict.OPEN, undefined, AskReply_Verdict.CLOSED);
  for (const isReset of [false, false, true]) {
    ground.now += 3_000;
    ground.worker.extend();
    await ground.settle();
    expect(ground.calls[0]?.isReset).toBe(isReset);
  }
  expect(ground.asks.map((ask) => ask.running)).toEqual([true, true, true]);
  expect(ground.said).toEqual(["1 extend", "1 extend", "1 extend", "1 extend", "1 ack"]);
});

test("no more run than there are slots; the rest waits in order, is extended, and is asked about when it waited for long", async () => {
  const ground = makeGround({ concurrency: 1 });
  let rooms = 0;
  ground.worker.onRoom(() => (rooms += 1));
  ground.deliver({});
  ground.deliver({ number: 2 });
  ground.deliver({ number: 3 });
  await ground.settle();
  expect([ground.calls.length, ground.worker.running(), ground.worker.free()]).toEqual([1, 1, -2]);
  ground.now += 3_500;
  ground.verdicts.push(AskReply_Verdict.OPEN, AskReply_Verdict.CLOSED);
  ground.worker.extend();
  expect(ground.said.toSorted()).toEqual(["1 extend", "2 extend", "3 extend"]);
  ground.calls[0]?.end(answered);
  await ground.settle();
  expect(ground.asks.map((ask) => [ask.token[0], ask.running])).toEqual([
    [1, true],
    [2, false],
    [3, false],
  ]);
  expect(rooms).toBeGreaterThan(0);
});

test("the wait has a bound too: what comes beyond is given back", async () => {
  const ground = makeGround({ concurrency: 2 });
  for (let number = 1; number <= 19; number += 1) ground.deliver({ number });
  await ground.settle();
  expect([ground.calls.length, ground.said]).toEqual([2, ["19 nak 500"]]);
});

test("a drain gives back what waits, takes nothing more, and ends when what runs is told", async () => {
  const ground = makeGround({ concurrency: 1 });
  ground.deliver({});
  ground.deliver({ number: 2 });
  await ground.settle();
  let isDone = false;
  const drained = ground.worker.drain().then(() => (isDone = true));
  ground.deliver({ number: 3 });
  await ground.settle();
  expect([isDone, ground.said]).toEqual([false, ["2 nak 0", "3 nak 0"]]);
  ground.calls[0]?.end(answered);
  await drained;
  expect(ground.said).toEqual(["2 nak 0", "3 nak 0", "1 ack"]);
  expect(ground.worker.free()).toBe(0);
});

test("an outcome that can't be stored is told as RESOURCE_EXHAUSTED after sending; when that can't be either, the task is given back", async () => {
  const rejected = { kind: "rejected" as const, reason: "too large" };
  const ground = Object.assign(makeGround(), { reported: [rejected, { kind: "stored" as const }, rejected, rejected] });
  for (const number of [1, 2]) {
    ground.deliver({ number });
    await ground.settle();
    ground.calls[number - 1]?.end(answered);
    await ground.settle();
  }
  expect(ground.outcomes.map((one) => (one.kind?.$case === "failed" ? one.kind.value.code : one.kind?.$case))).toEqual([
    "completed",
    8,
    "completed",
    8,
  ]);
  expect(ground.said).toEqual(["1 ack", "2 nak 1000"]);
});

test.each<[string, Uint8Array]>([
  ["it is not a task", new Uint8Array([255, 255, 255])],
  ["its run id does not have 16 bytes", Task.encode(taskOf(1, { runId: new Uint8Array(15) })).finish()],
  ["it names no attempt", Task.encode(taskOf(1, { attempt: undefined })).finish()],
  ["it has no token", Task.encode(taskOf(1, { token: new Uint8Array() })).finish()],
  [
    "its method is not of the form package.Service/Method",
    Task.encode(taskOf(1, { method: "http://evil/x/y" })).finish(),
  ],
])("garbage is set aside: %s", async (reason, body) => {
  const ground = makeGround();
  ground.deliver({}, { body });
  await ground.settle();
  expect([ground.setAside, ground.said, ground.calls]).toEqual([[reason], [`1 discard: ${reason}`], []]);
});
