import assert from "node:assert/strict";
import { expect, test } from "vitest";
import { OwnerRecord } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import { AskReply_Verdict, Outcome } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { Task } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { parseRunId } from "../../../proto/wire/runId.ts";
import { openPublisher } from "../../../runtime/src/publisher.ts";
import { startNats } from "../../../test/support/nats.ts";
import {
  ask,
  makeCall,
  makePlan,
  names,
  openFakeSidecar,
  openOrchestrator,
  service,
} from "../../../test/support/orchestrators.ts";
import type { Orchestrator } from "../../../test/support/orchestrators.ts";
import { Call_OnDoubt } from "../../../proto/gen/sidestep/internal/v1/plan.ts";

const { OPEN, CLOSED, BUSY, DOUBT, NOT_NOW } = AskReply_Verdict;
const plan = makePlan([makeCall("once", { onDoubt: Call_OnDoubt.FAIL, idempotent: false })]);
const plain = makePlan([makeCall("plain"), makeCall("next")]);
const within = (): AbortSignal => AbortSignal.timeout(20_000);

/** Starts a run and gives its first task, which is left alone. */
async function firstTask(orchestrator: Orchestrator, url: string, ofPlan: typeof plan): Promise<Task> {
  const delivered = Promise.withResolvers<Task>();
  const sidecar = await openFakeSidecar(url, (task) => {
    delivered.resolve(task);
    return "drop";
  });
  await orchestrator.begin(ofPlan);
  const task = await delivered.promise;
  await sidecar[Symbol.asyncDispose]();
  return task;
}

async function report(
  orchestrator: Orchestrator,
  task: Task,
  kind: NonNullable<Outcome["kind"]>,
  sidecarId: string,
  delivery: number,
) {
  using publisher = openPublisher(orchestrator.nats.connection);
  const { attempt, token } = task;
  const sidecar = { id: sidecarId, name: "", host: "", version: "" };
  const outcome = Outcome.encode({
    ...Outcome.decode(new Uint8Array()),
    attempt,
    token,
    kind,
    delivery,
    sidecar,
  }).finish();
  const subject = names.outSubject(service, task.partition, Buffer.from(task.runId).toString("hex"));
  expect(await publisher.publish(subject, outcome)).toMatchObject({ kind: "stored" });
}

test("an attempt is open until its outcome is stored, and closed from then on", async () => {
  await using server = await startNats();
  await using orchestrator = await openOrchestrator(server.url, plain);
  const task = await firstTask(orchestrator, server.url, plain);
  expect(await ask(orchestrator.nats, "one", task, 2)).toBe(OPEN);
  expect(await ask(orchestrator.nats, "one", task, 2, { running: true })).toBe(OPEN);
  await report(orchestrator, task, { $case: "completed", value: new Uint8Array() }, "one", 2);
  // Nothing is awaited between the two: the answer itself reads how far the run has come.
  expect(await ask(orchestrator.nats, "one", task, 3)).toBe(CLOSED);
});

test("while one sidecar has been told to run an attempt, another is told that it is busy", async () => {
  await using server = await startNats();
  await using orchestrator = await openOrchestrator(server.url, plain);
  const task = await firstTask(orchestrator, server.url, plain);
  expect(await ask(orchestrator.nats, "one", task, 2)).toBe(OPEN);
  expect(await ask(orchestrator.nats, "two", task, 3)).toBe(BUSY);
  expect(await ask(orchestrator.nats, "one", task, 2, { running: true })).toBe(OPEN);
});

test("a claim is granted to the delivery that made it, and every other is in doubt", async () => {
  await using server = await startNats();
  await using orchestrator = await openOrchestrator(server.url, plan);
  const task = await firstTask(orchestrator, server.url, plan);
  expect(task.claim).toBe(true);
  expect(await ask(orchestrator.nats, "one", task, 1, { claimed: true })).toBe(NOT_NOW);
  await report(orchestrator, task, { $case: "started", value: {} }, "one", 1);
  expect(await ask(orchestrator.nats, "one", task, 1, { claimed: true })).toBe(OPEN);
  expect(await ask(orchestrator.nats, "two", task, 2)).toBe(DOUBT);
  expect(await ask(orchestrator.nats, "one", task, 2)).toBe(DOUBT);
  expect(await ask(orchestrator.nats, "one", task, 1, { running: true })).toBe(OPEN);
});

test("what is unsure is never closed: a run or an attempt nobody knows, a wrong token, another owner in the log", async () => {
  await using server = await startNats();
  await using orchestrator = await openOrchestrator(server.url, plain);
  const task = await firstTask(orchestrator, server.url, plain);
  const unknownRun = { ...task, runId: new Uint8Array(16).fill(9) };
  expect(parseRunId(unknownRun.runId)).toBeDefined();
  expect(await ask(orchestrator.nats, "one", unknownRun, 2)).toBe(NOT_NOW);
  expect(await ask(orchestrator.nats, "one", { ...task, token: new Uint8Array(32) }, 2)).toBe(NOT_NOW);
  using publisher = openPublisher(orchestrator.nats.connection);
  const another = OwnerRecord.encode({ owner: "another", epoch: 99 }).finish();
  await publisher.publish(names.ownerSubject(0), another);
  expect(await ask(orchestrator.nats, "one", task, 2)).toBe(NOT_NOW);
});

test("after a takeover the new owner answers for attempts of the old one", async () => {
  await using server = await startNats();
  const options = { over: { bounds: { silenceMs: 1200 } } };
  await using first = await openOrchestrator(server.url, plain, options);
  const task = await firstTask(first, server.url, plain);
  await using second = await openOrchestrator(server.url, plain, options);
  await first.kill();
  await expect.poll(() => second.processor.owned(), { timeout: 10_000 }).toEqual([0]);
  await expect.poll(() => ask(second.nats, "one", task, 2), { timeout: 5000 }).toBe(OPEN);
  await using _sidecar = await openFakeSidecar(server.url);
  const runId = parseRunId(task.runId);
  assert(runId !== undefined);
  expect(await second.processor.front.wait(runId, within())).toMatchObject({ kind: "ended" });
});
