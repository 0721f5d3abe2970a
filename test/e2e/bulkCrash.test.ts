import assert from "node:assert/strict";
import { expect, test } from "vitest";
import { Call_OnExhausted } from "../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Step } from "../../proto/gen/sidestep/internal/v1/plan.ts";
import { Bulk } from "../../proto/gen/sidestep/internal/v1/record.ts";
import { BulkAction_Kind as Kind } from "../../proto/gen/sidestep/v1/runs.ts";
import { Run_State } from "../../proto/gen/sidestep/v1/run.ts";
import type { Run } from "../../proto/gen/sidestep/v1/run.ts";
import type { RunId } from "../../proto/wire/runId.ts";
import { toBulkAct } from "../../orchestrator/src/grpc/bulkAction.ts";
import type { Front } from "../../orchestrator/src/processor/front.ts";
import { openRunStore } from "../../orchestrator/src/sql/store.ts";
import { startNats } from "../support/nats.ts";
import { makeCall, makePlan, openFakeSidecar, openOrchestrator } from "../support/orchestrators.ts";

const patience = { timeout: 15_000, interval: 30 };
const over = {
  retry: { attemptsMax: 1, backoffMs: 20, backoffMaxMs: 20, multiplier: 2, on: [] },
  onExhausted: Call_OnExhausted.ON_EXHAUSTED_PAUSE,
  responseType: "google.protobuf.StringValue",
};
const names = ["a", "b", "c"];
const stops = (name: string, index: number): Step => ({ ...makeCall(name, over), index });

/** A run with an incident at each of `names` at the same time, and one who acts on it, as the orchestrators do that go on with a bulk. */
async function openStopped(
  url: string,
  behave: (step: string, call: number) => "complete" | { readonly code: number },
) {
  const closing = new AsyncDisposableStack();
  const branches = names.map((name, at) => ({ steps: [stops(name, at + 1)], result: undefined }));
  const plan = makePlan(
    [{ ...makeCall("all"), kind: { $case: "parallel", value: { branches, need: 0 } } }],
    undefined,
    {
      stepCount: names.length + 1,
    },
  );
  const orchestrator = closing.use(await openOrchestrator(url, plan, { over: { bounds: { snapshotEvery: 5 } } }));
  const store = closing.use(await openRunStore({ kind: "sqlite", file: "" }));
  const calls = new Map<string, number>();
  closing.use(
    await openFakeSidecar(url, (task) => {
      const step = task.attempt?.step.split("/").at(-1) ?? "";
      calls.set(step, (calls.get(step) ?? 0) + 1);
      return behave(step, calls.get(step) ?? 0);
    }),
  );
  const { front } = orchestrator.processor;
  const runId = await orchestrator.begin(plan);
  const look = async (): Promise<Run> => {
    const got = await front.get(runId);
    assert(got.kind === "run");
    return got.run;
  };
  const isOpen = async (count: number): Promise<void> => {
    await expect.poll(async () => (await look()).incidents.length, patience).toBe(count);
  };
  await isOpen(names.length);
  /** Dies when it has made so many requests. */
  const act = (kind: Kind, isRepeat: boolean, requests = Infinity) => {
    let made = 0;
    const request: Front["request"] = (...args) => {
      if (made++ >= requests) return new Promise(() => undefined);
      return front.request(...args);
    };
    const bulk: Bulk = {
      ...Bulk.decode(new Uint8Array()),
      id: "b",
      action: kind,
      actor: "ann",
      reason: "the bank is back",
    };
    const definitions = { get: () => undefined };
    return toBulkAct({ front: { ...front, request }, payloadBytesMax: 1_000, store, definitions })(
      bulk,
      runId,
      isRepeat,
    );
  };
  return { calls, act, look, isOpen, runId, front, [Symbol.asyncDispose]: () => closing.disposeAsync() };
}

const fails = { code: 14 };
const twice = new Map(names.map((name) => [name, 2]));

test.for([1, 2])(
  "all incidents of a run are retried once, though who did it died after %i of them, and those stopped anew",
  async (done) => {
    await using server = await startNats();
    await using run = await openStopped(server.url, () => fails);
    void run.act(Kind.RETRY, false, done);
    await expect.poll(() => [...run.calls.values()].reduce((a, b) => a + b, 0), patience).toBe(names.length + done);
    await run.isOpen(names.length);
    expect(await run.act(Kind.RETRY, true)).toEqual({ kind: "done" });
    await expect.poll(() => run.calls, patience).toEqual(twice);
    await run.isOpen(names.length);
    // Once more, as after a death before it was noted.
    expect(await run.act(Kind.RETRY, true)).toEqual({ kind: "done" });
    expect(await retriesOf(run.front, run.runId)).toBe(names.length);
    expect(run.calls).toEqual(twice);
  },
);

test("all incidents of a run are skipped over a death, and the run that has ended by then counts as done", async () => {
  await using server = await startNats();
  await using run = await openStopped(server.url, () => fails);
  void run.act(Kind.SKIP, false, 1);
  await run.isOpen(names.length - 1);
  expect(await run.act(Kind.SKIP, true)).toEqual({ kind: "done" });
  await expect.poll(async () => (await run.look()).state, patience).toBe(Run_State.COMPLETED);
  expect(await run.act(Kind.SKIP, true)).toEqual({ kind: "done" });
});

test("failing a run of several incidents, and undoing it, is done once over a death", async () => {
  await using server = await startNats();
  for (const kind of [Kind.FAIL, Kind.COMPENSATE]) {
    await using run = await openStopped(server.url, () => fails);
    void run.act(kind, false, 1);
    await expect.poll(async () => (await run.look()).state, patience).toBe(Run_State.FAILED);
    expect(await run.act(kind, true)).toEqual({ kind: "done" });
  }
});

/** Requests for it in the history, doubles among them. */
async function retriesOf(front: Front, runId: RunId): Promise<number> {
  const got = await front.records(runId);
  assert(got.kind === "records");
  return got.records.filter(({ fact }) => fact.kind === "event" && fact.event.kind?.$case === "retryRequested").length;
}
