import { hash } from "node:crypto";
import { expect, test } from "vitest";
import { Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { fromHex, parseRunId } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { openPublisher } from "../../../runtime/src/publisher.ts";
import { startNats } from "../../../test/support/nats.ts";
import { makeCall, makePlan, names, openOrchestrator } from "../../../test/support/orchestrators.ts";
import type { Orchestrator } from "../../../test/support/orchestrators.ts";
import { toKeys } from "../nats/leases.ts";
import { readFromLeader } from "../nats/jetstream.ts";
import { keyPlace } from "./keyPlace.ts";

const plan = makePlan([makeCall("first")]);
const { workflow } = plan.plan;
const key = "order 1";

/** The record of a key as an orchestrator leaves it that dies before it has started the run. */
async function leaveKey({ nats }: Orchestrator): Promise<RunId> {
  const runId = parseRunId(fromHex("01a1fd89a9fb00000000000000000001"));
  if (runId === undefined) throw new Error("no run id");
  const place = keyPlace(workflow, key);
  using publisher = openPublisher(nats.connection);
  const record = { runId: fromHex(runId), workflow, requestHash: hash("sha256", new Uint8Array(), "buffer") };
  const keys = toKeys(nats, names, publisher);
  const taken = await keys.take(place.bucket, place.hash, record, 0, AbortSignal.timeout(5000));
  expect(taken.kind).toBe("stored");
  return runId;
}

function firstEvent({ nats }: Orchestrator, runId: RunId) {
  const subject = names.eventSubject(0, runId);
  return readFromLeader(nats.connection, names.logStream(0), { kind: "first", subject });
}

test("the run of a key that was not started is started by the same request, as of when the key was taken", async () => {
  await using server = await startNats();
  await using orchestrator = await openOrchestrator(server.url, plan);
  const runId = await leaveKey(orchestrator);
  const beforeMs = Date.now();
  expect(await orchestrator.start(plan, { key })).toEqual({ kind: "started", runId });
  const { kind } = Event.decode((await firstEvent(orchestrator, runId))?.data ?? new Uint8Array());
  // So it is void before anybody gives the key to another run.
  expect(kind?.$case === "runStarted" ? kind.value.issuedAtMs : Infinity).toBeLessThanOrEqual(beforeMs);
});

test("a key whose run was not started for long starts no run before it is given to another", async () => {
  await using server = await startNats();
  await using early = await openOrchestrator(server.url, plan);
  const runId = await leaveKey(early);
  for (const [laterMs, isOrphaned] of [
    [30_000, false],
    [70_000, true],
  ] as const) {
    await using later = await openOrchestrator(server.url, plan, {
      over: { now: () => Date.now() + laterMs, ownsPartitions: false },
    });
    const result = await later.start(plan, { key });
    expect(result.kind).toBe(isOrphaned ? "started" : "unavailable");
    expect(await firstEvent(later, runId)).toBeUndefined();
  }
});

test("a key that nobody holds is taken without a look at it, and one that is held is joined by what stands there", async () => {
  await using server = await startNats();
  await using door = await openOrchestrator(server.url, plan, { owns: [] });
  const keys = { ...door.ports.keys, read: () => Promise.reject(new Error("it was read")) };
  await using orchestrator = await openOrchestrator(server.url, plan, { over: { ports: { ...door.ports, keys } } });
  const first = await orchestrator.start(plan, { key });
  expect(first.kind).toBe("started");
  const runId = first.kind === "started" ? first.runId : "";
  expect(await orchestrator.start(plan, { key })).toEqual({ kind: "joined", runId });
  expect(await door.start(plan, { key })).toEqual({ kind: "joined", runId });
});

test("a start that is refused because too much waits leaves its key to others, and one that has begun is joined", async () => {
  await using server = await startNats();
  await using orchestrator = await openOrchestrator(server.url, plan, { owns: [] });
  await using full = await openOrchestrator(server.url, plan, { owns: [], over: { backlogMax: -1 } });
  expect(await full.start(plan, { key })).toMatchObject({ kind: "exhausted" });
  const { bucket, hash: place } = keyPlace(workflow, key);
  expect(await orchestrator.ports.keys.read(bucket, place)).toBeUndefined();
  const runId = await orchestrator.begin(plan, key);
  expect(await full.start(plan, { key })).toEqual({ kind: "joined", runId });
});
