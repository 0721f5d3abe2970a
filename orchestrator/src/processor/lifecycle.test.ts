import assert from "node:assert/strict";
import { expect, test } from "vitest";
import { Control } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import { startNats } from "../../../test/support/nats.ts";
import {
  makeCall,
  makePlan,
  makeWait,
  names,
  openFakeSidecar,
  openOrchestrator,
  service,
  timersLeft,
} from "../../../test/support/orchestrators.ts";

const oneCall = makePlan([makeCall("first")]);
const within = (): AbortSignal => AbortSignal.timeout(25_000);
const cancel = { reason: "test", actor: "", requestId: "" };

test("starts with one key and one request are one run; another request is a conflict", async () => {
  await using server = await startNats();
  await using orchestrator = await openOrchestrator(server.url, oneCall);
  await using sidecar = await openFakeSidecar(server.url);
  const all = await Promise.all(
    Array.from({ length: 10 }, () => orchestrator.start(oneCall, { key: "order 1", request: "a" })),
  );
  expect(all.filter(({ kind }) => kind === "started")).toHaveLength(1);
  expect(all.filter(({ kind }) => kind === "joined")).toHaveLength(9);
  expect(new Set(all.map((result) => ("runId" in result ? result.runId : "none"))).size).toBe(1);
  expect(await orchestrator.start(oneCall, { key: "order 1", request: "b" })).toMatchObject({ kind: "conflict" });
  const first = all.find((result) => result.kind === "started");
  assert(first?.kind === "started");
  await orchestrator.processor.front.wait(first.runId, within());
  expect(await orchestrator.start(oneCall, { key: "order 1", request: "a" })).toMatchObject({
    kind: "joined",
    runId: first.runId,
  });
  expect(sidecar.calls).toHaveLength(1);
});

test("bad requests are refused before anything is written", async () => {
  await using server = await startNats();
  await using orchestrator = await openOrchestrator(server.url, oneCall);
  expect(await orchestrator.start(oneCall, { key: "" })).toMatchObject({ kind: "invalid" });
  const { front } = orchestrator.processor;
  const request = (bytes: Uint8Array) =>
    front.start(
      {
        active: { workflow: oneCall.plan.workflow, version: 1, plan: oneCall, planHash: new Uint8Array(32) },
        request: bytes,
        metadata: new Map(),
        idempotencyKey: undefined,
        trace: () => ({ traceId: new Uint8Array(16), parentSpanId: new Uint8Array(), sampled: false, tracestate: "" }),
        actor: "",
      },
      within(),
    );
  expect(await request(new Uint8Array([0x0a, 0x05, 0x01]))).toMatchObject({ kind: "invalid" });
  expect(await request(new Uint8Array(4_194_305))).toMatchObject({ kind: "tooLarge", limitBytes: 4_194_304 });
});

test("whoever waits is told, also by an orchestrator that owns nothing, and also long after the end", async () => {
  await using server = await startNats();
  await using owner = await openOrchestrator(server.url, oneCall);
  await using other = await openOrchestrator(server.url, oneCall, { over: { ownsPartitions: false } });
  await using _sidecar = await openFakeSidecar(server.url);
  const runId = await other.begin(oneCall);
  expect(await other.processor.front.wait(runId, within())).toMatchObject({ kind: "ended" });
  expect(await owner.processor.front.wait(runId, within())).toMatchObject({ kind: "ended" });
  const nobody = "0".repeat(32) as typeof runId;
  expect(await other.processor.front.wait(nobody, within())).toMatchObject({ kind: "unknown" });
  expect(await other.processor.front.request(nobody, { kind: "cancel", event: cancel }, within())).toMatchObject({
    kind: "unknown",
  });
  expect(await other.processor.front.get(runId)).toMatchObject({ kind: "run", run: { state: Run_State.COMPLETED } });
  const history = await other.processor.front.history(runId, 0, 2);
  expect(history).toMatchObject({ kind: "history" });
  expect(history.kind === "history" ? history.events.length : 0).toBe(2);
  expect(history.kind === "history" ? history.next : undefined).toBeDefined();
});

test("a cancelled run resets its call, awaits the longest time that call can take, and ends", async () => {
  await using server = await startNats();
  const plan = makePlan([makeCall("slow", { timeoutMs: 100 }), makeCall("never")]);
  await using orchestrator = await openOrchestrator(server.url, plan);
  await using sidecar = await openFakeSidecar(server.url, () => "drop");
  const told = Promise.withResolvers<Control>();
  orchestrator.nats.connection.subscribe(names.controlSubject(service), {
    callback: (_error, message) => told.resolve(Control.decode(message.data)),
  });
  const runId = await orchestrator.begin(plan);
  await sidecar.called(1);
  const { front } = orchestrator.processor;
  expect(await front.request(runId, { kind: "cancel", event: cancel }, within())).toEqual({
    kind: "done",
    ignored: false,
    refusal: "",
  });
  expect((await told.promise).kind).toMatchObject({ $case: "reset", value: { attempt: { step: "slow", attempt: 1 } } });
  const end = await front.wait(runId, within());
  expect(end).toMatchObject({ kind: "ended", ended: { state: Run_State.CANCELLED } });
  expect(await front.request(runId, { kind: "cancel", event: cancel }, within())).toEqual({
    kind: "done",
    ignored: true,
    refusal: "",
  });
  expect(sidecar.calls).toHaveLength(1);
});

test("a terminated run ends at once and leaves no timer behind", async () => {
  await using server = await startNats();
  const plan = makePlan([makeWait("long", 3_600_000)]);
  await using orchestrator = await openOrchestrator(server.url, plan);
  const runId = await orchestrator.begin(plan);
  const { front } = orchestrator.processor;
  expect(await front.request(runId, { kind: "terminate", event: cancel }, within())).toEqual({
    kind: "done",
    ignored: false,
    refusal: "",
  });
  expect(await front.wait(runId, within())).toMatchObject({ kind: "ended", ended: { state: Run_State.TERMINATED } });
  await expect.poll(() => timersLeft(server.url), { timeout: 5000 }).toEqual([]);
});

test("of starts that come together only so many become durable at a time, the others are refused at once; later ones are taken", async () => {
  await using server = await startNats();
  await using orchestrator = await openOrchestrator(server.url, oneCall, { over: { startsMax: 3 } });
  await expect.poll(() => orchestrator.processor.owned(), { timeout: 5000 }).toEqual([0]);
  const results = await Promise.all(Array.from({ length: 5 }, () => orchestrator.start(oneCall)));
  expect(results.map(({ kind }) => kind)).toEqual(["started", "started", "started", "exhausted", "exhausted"]);
  expect(await orchestrator.start(oneCall)).toMatchObject({ kind: "started" });
});

test("starts are refused while too much waits to be folded", async () => {
  await using server = await startNats();
  await using orchestrator = await openOrchestrator(server.url, oneCall, { over: { backlogMax: -1 } });
  await expect.poll(() => orchestrator.processor.owned(), { timeout: 5000 }).toEqual([0]);
  expect(await orchestrator.start(oneCall)).toMatchObject({ kind: "exhausted" });
});
