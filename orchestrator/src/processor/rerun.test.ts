import assert from "node:assert/strict";
import { expect, test } from "vitest";
import { AttemptId_Phase as Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { Compensation } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Task } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { Run_State, StepStatus_State } from "../../../proto/gen/sidestep/v1/run.ts";
import type { Run } from "../../../proto/gen/sidestep/v1/run.ts";
import { keyPlace } from "./keyPlace.ts";
import { compensatesHeader, idempotencyKeyHeader } from "../../../proto/wire/headers.ts";
import { parseRunId } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { code } from "../../../proto/wire/status.ts";
import { startNats } from "../../../test/support/nats.ts";
import { makeCall, makePlan, openFakeSidecar, openOrchestrator } from "../../../test/support/orchestrators.ts";
import type { Orchestrator } from "../../../test/support/orchestrators.ts";

const patience = { timeout: 15_000, interval: 30 };
const within = (): AbortSignal => AbortSignal.timeout(20_000);

const undo = makeCall("undo").kind;
assert(undo?.$case === "call");
const plan = makePlan([
  { ...makeCall("a"), compensate: Compensation.fromPartial({ call: undo.value }) },
  makeCall("b"),
  makeCall("c"),
]);

const headerOf = ({ headers }: Task, name: string): string | undefined =>
  headers.find(({ key }) => key === name)?.value.toString();

async function runOf({ processor }: Orchestrator, runId: RunId): Promise<Run> {
  const got = await processor.front.get(runId);
  assert(got.kind === "run");
  return got.run;
}

test("a run goes on in place of one that was terminated, over its owner's death: with its key, and what was done there is undone under its name", async () => {
  await using server = await startNats();
  const first = await openOrchestrator(server.url, plan);
  const tasks: Task[] = [];
  await using _sidecar = await openFakeSidecar(server.url, (task) => {
    tasks.push(task);
    if (task.attempt?.step === "a") return "complete";
    // Nobody hears of the second step; where the run goes on it fails.
    return tasks.length <= 2 ? "drop" : { code: code.FAILED_PRECONDITION };
  });
  const { front } = first.processor;
  const runId = await first.begin(plan, "k");
  const about = { reason: "stuck", actor: "ann", requestId: "" };
  await expect.poll(() => tasks.length, patience).toBe(2);
  await front.request(runId, { kind: "terminate", event: about }, within());
  expect((await front.wait(runId, within())).kind).toBe("ended");
  expect(await front.rerunPlace(runId, "c")).toMatchObject({ kind: "refused", reason: "CANNOT_RERUN" });
  const event = { step: "b", reason: "mended", actor: "ann", requestId: "r" };
  const asked = await front.request(runId, { kind: "rerun", event }, within());
  expect(asked).toEqual({ kind: "done", ignored: false, refusal: "" });
  // Whoever takes the partition over carries it out again.
  await first.kill();
  await using next = await openOrchestrator(server.url, plan);
  const again = { ...event, requestId: "another" };
  await expect
    .poll(() => next.processor.front.request(runId, { kind: "rerun", event: again }, within()), patience)
    .toMatchObject({ ignored: true, refusal: "ALREADY_RERUN" });
  const rerunId = parseRunId((await runOf(next, runId)).rerunAsRunId);
  assert(rerunId !== undefined);
  await expect.poll(async () => (await next.processor.front.get(rerunId)).kind, patience).toBe("run");
  // Its key comes to it once it is there; until then it leads to the run before, never to a new one.
  await expect.poll(() => next.start(plan, { key: "k" }), patience).toEqual({ kind: "joined", runId: rerunId });
  expect((await next.processor.front.wait(rerunId, within())).kind).toBe("ended");
  expect(await runOf(next, rerunId)).toMatchObject({
    state: Run_State.COMPENSATED,
    rerunOfRunId: runId,
    rerunFromStep: "b",
    steps: [
      { path: "a", state: StepStatus_State.COMPLETED, takenOver: true },
      { path: "b", state: StepStatus_State.FAILED, takenOver: false },
      { path: "a", state: StepStatus_State.COMPLETED, takenOver: false, compensation: true },
    ],
  });
  const [made, undone] = [
    tasks.filter(({ attempt }) => attempt?.step === "a" && attempt.phase === Phase.FORWARD),
    tasks.find(({ attempt }) => attempt?.step === "a" && attempt.phase === Phase.COMPENSATE),
  ];
  assert(made[0] !== undefined && undone !== undefined);
  expect(made).toHaveLength(1);
  expect(headerOf(undone, compensatesHeader)).toBe(headerOf(made[0], idempotencyKeyHeader));
});

/** An orchestrator whose records of keys can be stopped right before they are changed, as one that stands still there; another one, whose front door goes on. */
async function openStopping(url: string) {
  const closing = new AsyncDisposableStack();
  const door = closing.use(await openOrchestrator(url, plan, { owns: [] }));
  const reached = Promise.withResolvers<void>();
  const going = Promise.withResolvers<void>();
  const ports: Orchestrator["ports"] = {
    ...door.ports,
    keys: {
      ...door.ports.keys,
      take: async (...args) => {
        reached.resolve();
        await going.promise;
        return door.ports.keys.take(...args);
      },
    },
  };
  closing.use(await openOrchestrator(url, plan, { over: { ports } }));
  return { door, reached: reached.promise, go: going.resolve, [Symbol.asyncDispose]: () => closing.disposeAsync() };
}

/** A run that has ended and goes on in place of another, whose key has not come to it yet; and what was done. */
async function openBetween(url: string) {
  const closing = new AsyncDisposableStack();
  const orchestrators = closing.use(await openStopping(url));
  const { door, reached } = orchestrators;
  const { front } = door.processor;
  const done: string[] = [];
  let isMended = false;
  closing.use(
    await openFakeSidecar(url, ({ attempt }) => {
      if (attempt?.step === "b" && !isMended) return "drop";
      done.push(`${attempt?.phase === Phase.COMPENSATE ? "undo " : ""}${attempt?.step}`);
      return "complete";
    }),
  );
  const runId = await door.begin(plan, "k");
  await expect.poll(() => done, patience).toEqual(["a"]);
  await front.request(runId, { kind: "terminate", event: { reason: "", actor: "", requestId: "" } }, within());
  expect((await front.wait(runId, within())).kind).toBe("ended");
  isMended = true;
  const event = { step: "b", reason: "", actor: "", requestId: "" };
  void front.request(runId, { kind: "rerun", event }, within());
  await reached;
  const rerunId = parseRunId((await runOf(door, runId)).rerunAsRunId);
  assert(rerunId !== undefined);
  return { ...orchestrators, runId, rerunId, done, [Symbol.asyncDispose]: () => closing.disposeAsync() };
}

test("who starts with the key after the rerun's start and before its key has moved joins the run before; nothing is done twice", async () => {
  await using server = await startNats();
  await using between = await openBetween(server.url);
  const { door, runId, rerunId, done } = between;
  expect(await door.start(plan, { key: "k" })).toEqual({ kind: "joined", runId });
  expect(await door.start(plan, { key: "k", request: "another" })).toEqual({ kind: "conflict", runId });
  between.go();
  await expect.poll(() => door.start(plan, { key: "k" }), patience).toEqual({ kind: "joined", runId: rerunId });
  expect((await door.processor.front.wait(rerunId, within())).kind).toBe("ended");
  expect(await runOf(door, rerunId)).toMatchObject({ state: Run_State.COMPLETED, rerunOfRunId: runId });
  expect(done).toEqual(["a", "b", "c"]);
});

test("where the run before is gone by then, who starts with its key has a new run and keeps the key; the rerun goes on without", async () => {
  await using server = await startNats();
  await using between = await openBetween(server.url);
  const { door, runId, rerunId } = between;
  const { bucket, hash } = keyPlace(plan.plan.workflow, "k");
  const held = await door.ports.keys.read(bucket, hash);
  assert(held !== undefined);
  // What its deletion does first.
  await door.ports.keys.free(bucket, hash, held.revision);
  const third = await door.start(plan, { key: "k" });
  assert(third.kind === "started");
  expect([runId, rerunId]).not.toContain(third.runId);
  between.go();
  const { front } = door.processor;
  for (const one of [rerunId, third.runId]) expect((await front.wait(one, within())).kind).toBe("ended");
  expect(await door.start(plan, { key: "k" })).toEqual({ kind: "joined", runId: third.runId });
});

test("a key that comes late to a run that is gone on for already goes on to the one in its place", async () => {
  await using server = await startNats();
  await using ground = await openOrchestrator(server.url, plan, { owns: [] });
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  let reads = 0;
  const keys: typeof ground.ports.keys = {
    ...ground.ports.keys,
    read: (...place) => {
      reads += 1;
      return ground.ports.keys.read(...place);
    },
    take: async (...about) => {
      // The first start takes it as nobody's; every other one is a move.
      if (about[3] > 0) await released;
      return ground.ports.keys.take(...about);
    },
  };
  await using orchestrator = await openOrchestrator(server.url, plan, { over: { ports: { ...ground.ports, keys } } });
  const { front } = orchestrator.processor;
  const goOnFor = async (runId: RunId): Promise<RunId> => {
    const about = { reason: "", actor: "", requestId: "" };
    await front.request(runId, { kind: "terminate", event: about }, within());
    expect((await front.wait(runId, within())).kind).toBe("ended");
    const asked = await front.request(runId, { kind: "rerun", event: { ...about, step: "a" } }, within());
    expect(asked).toMatchObject({ ignored: false });
    const next = parseRunId((await runOf(orchestrator, runId)).rerunAsRunId);
    assert(next !== undefined);
    await expect.poll(async () => (await front.get(next)).kind, patience).toBe("run");
    return next;
  };
  const first = await goOnFor(await orchestrator.begin(plan, "late"));
  await expect.poll(() => reads, patience).toBe(1);
  const second = await goOnFor(first);
  // It found the key with the run before, and left it.
  await expect.poll(() => reads, patience).toBe(2);
  release();
  await expect.poll(() => ground.start(plan, { key: "late" }), patience).toEqual({ kind: "joined", runId: second });
});
