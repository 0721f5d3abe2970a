import assert from "node:assert/strict";
import { expect, test } from "vitest";
import { Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { lockId } from "../../../proto/wire/lockId.ts";
import { bucketOf, fromHex, parseRunId } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { startNats } from "../../../test/support/nats.ts";
import {
  makeCall,
  makePlan,
  makeText,
  makeWait,
  openFakeSidecar,
  openOrchestrator,
} from "../../../test/support/orchestrators.ts";
import type { Orchestrator } from "../../../test/support/orchestrators.ts";

const partitions = 2;
const lock = "stock 7";
const step = { step: "long", generation: 0 };
const plan = makePlan([makeWait("long", 3_600_000)]);
const within = (): AbortSignal => AbortSignal.timeout(25_000);
const placeOf = (id: RunId): number => bucketOf(id) % partitions;

/** What steps of runs write into the lock's log, and what comes back into theirs. */
function toLock({ ports, layouts }: Orchestrator) {
  const id = lockId(layouts, lock);
  let written = 0;
  const writer = Math.random();
  const tell = async ($case: "lockRequested" | "lockReleased", runId: RunId): Promise<void> => {
    const value = { lock, holder: { runId: fromHex(runId), step } };
    const event = Event.encode({ kind: { $case, value } }).finish();
    await ports.logOf(placeOf(id)).append(id, `${$case} ${writer} ${++written}`, event, { signal: within() });
  };
  const eventsOf = async (runId: RunId): Promise<readonly (string | undefined)[]> =>
    (await ports.logOf(placeOf(runId)).load(runId)).map(({ data }) => Event.decode(data).kind?.$case);
  return {
    id,
    request: (runId: RunId) => tell("lockRequested", runId),
    release: (runId: RunId) => tell("lockReleased", runId),
    eventsOf,
    hasIt: async (runId: RunId) => (await eventsOf(runId)).includes("lockGranted"),
  };
}

/** Runs in both partitions. */
async function beginSome(orchestrator: Orchestrator, count: number): Promise<readonly RunId[]> {
  for (;;) {
    const runs = await Promise.all(Array.from({ length: count }, () => orchestrator.begin(plan)));
    if (new Set(runs.map(placeOf)).size === partitions) return runs;
  }
}

test("a lock that is dropped from memory remembers who wants it", async () => {
  await using server = await startNats();
  await using orchestrator = await openOrchestrator(server.url, plan, {
    partitions,
    over: { bounds: { idleMs: 0, sweepEveryMs: 50 } },
  });
  const { request, release, hasIt } = toLock(orchestrator);
  const [a, b] = await beginSome(orchestrator, 2);
  assert(a !== undefined && b !== undefined);
  await request(a);
  await request(b);
  const { counts } = orchestrator.processor;
  await expect.poll(() => hasIt(a), { timeout: 5000 }).toBe(true);
  const before = counts.evictions;
  await expect.poll(() => counts.evictions, { timeout: 5000 }).toBeGreaterThan(before);
  await release(a);
  await expect.poll(() => hasIt(b), { timeout: 5000 }).toBe(true);
});

test("a lock that comes to a run that is gone goes to the next, now and at a takeover", async () => {
  await using server = await startNats();
  const gone = ["01a1fd89a9fb00000000000000000001", "01a1fd89a9fb00010000000000000002"].map((text) => parseRunId(text));
  await using door = await openOrchestrator(server.url, plan, { partitions, over: { ownsPartitions: false } });
  const { request, hasIt } = toLock(door);
  const last = await door.begin(plan);
  for (const runId of [...gone, last]) {
    assert(runId !== undefined);
    await request(runId);
  }
  await using _owner = await openOrchestrator(server.url, plan, { partitions });
  await expect.poll(() => hasIt(last), { timeout: 5000 }).toBe(true);
});

test("the log of a lock is cut while it is held and wanted; whoever owns it next goes on from the snapshot, and never two have it", async () => {
  await using server = await startNats();
  const locked = makePlan(
    [{ ...makeCall("take", { timeoutMs: 20_000 }), lock: makeText(lock) }],
    "test.v1.Flows/Locked",
  );
  const options = { partitions, over: { bounds: { snapshotEvery: 10, silenceMs: 1000 } } };
  await using first = await openOrchestrator(server.url, locked, options);
  const shelf = { now: 0, most: 0, calls: 0 };
  const held = Promise.withResolvers<void>();
  await using sidecar = await openFakeSidecar(server.url, async (): Promise<"complete"> => {
    shelf.most = Math.max(shelf.most, ++shelf.now);
    if (++shelf.calls > 15) await held.promise;
    shelf.now--;
    return "complete";
  });
  const runs = await Promise.all(Array.from({ length: 25 }, () => first.begin(locked)));
  const { id, eventsOf } = toLock(first);
  await sidecar.called(16);
  await expect.poll(async () => (await eventsOf(id))[0], { timeout: 10_000 }).toBe("snapshot");
  await expect.poll(() => first.processor.counts.cuts, { timeout: 5000 }).toBeGreaterThan(0);
  expect((await eventsOf(id)).length).toBeLessThan(40);
  await first.kill();
  await using next = await openOrchestrator(server.url, locked, options);
  held.resolve();
  const ends = await Promise.all(runs.map((runId) => next.processor.front.wait(runId, within())));
  expect(ends.filter(({ kind }) => kind !== "ended")).toEqual([]);
  expect([shelf.most, shelf.calls]).toEqual([1, 25]);
});
