import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "vitest";
import { Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { lockId } from "../../../proto/wire/lockId.ts";
import { bucketOf, fromHex, parseRunId } from "../../../proto/wire/runId.ts";
import { startNats } from "../../../test/support/nats.ts";
import {
  endsOfRuns,
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
const within = (): AbortSignal => AbortSignal.timeout(25_000);
const stop = { reason: "test", actor: "", requestId: "" };
const locked = (name: string, timeoutMs = 5000) => ({ ...makeCall(name, { timeoutMs }), lock: makeText(lock) });
const plan = makePlan([locked("take")]);

/** A service that tells how many calls it works on at once. */
function openShelf(workMs: number) {
  const shelf = { now: 0, most: 0 };
  const behaviour = async (): Promise<"complete"> => {
    shelf.now++;
    shelf.most = Math.max(shelf.most, shelf.now);
    await pause(workMs);
    shelf.now--;
    return "complete";
  };
  return { shelf, behaviour };
}

async function eventsOf({ ports }: Orchestrator, id: string): Promise<readonly (string | undefined)[]> {
  const runId = parseRunId(id);
  if (runId === undefined) throw new Error("no id");
  const messages = await ports.logOf(bucketOf(runId) % partitions).load(runId);
  return messages.map(({ data }) => Event.decode(data).kind?.$case);
}

test("steps with one lock run one after the other over all runs, and each gets its turn", async () => {
  await using server = await startNats();
  await using orchestrator = await openOrchestrator(server.url, plan, { partitions });
  const { shelf, behaviour } = openShelf(30);
  await using _sidecar = await openFakeSidecar(server.url, behaviour);
  const runs = await Promise.all(Array.from({ length: 12 }, () => orchestrator.begin(plan)));
  const ends = await Promise.all(runs.map((runId) => orchestrator.processor.front.wait(runId, within())));
  expect(ends.filter(({ kind }) => kind !== "ended")).toEqual([]);
  expect(shelf.most).toBe(1);
  const { front } = orchestrator.processor;
  const id = parseRunId(lockId(orchestrator.layouts, lock));
  expect(id === undefined ? undefined : await front.get(id)).toEqual({ kind: "unknown" });
});

test.each([0, 1])(
  "the death of the owner of partition %i while a lock is held and wanted makes no second holder",
  async (killed) => {
    await using server = await startNats();
    const over = { bounds: { silenceMs: 1000 } };
    await using door = await openOrchestrator(server.url, plan, { partitions, over: { ownsPartitions: false } });
    const owners = [
      await openOrchestrator(server.url, plan, { partitions, owns: [0], over }),
      await openOrchestrator(server.url, plan, { partitions, owns: [1], over }),
    ];
    const { shelf, behaviour } = openShelf(200);
    await using sidecar = await openFakeSidecar(server.url, behaviour);
    const runs = await Promise.all(Array.from({ length: 6 }, () => door.begin(plan)));
    await sidecar.called(2);
    await owners[killed]?.kill();
    await using _successor = await openOrchestrator(server.url, plan, { partitions, owns: [killed], over });
    const ends = await Promise.all(runs.map((runId) => door.processor.front.wait(runId, within())));
    expect(ends.filter(({ kind }) => kind !== "ended")).toEqual([]);
    expect(shelf.most).toBe(1);
    const counts = await endsOfRuns(server.url, partitions);
    expect(runs.map((runId) => counts.get(runId))).toEqual(runs.map(() => 1));
    for (const owner of owners) await owner[Symbol.asyncDispose]();
  },
);

test("a run that ends gives its lock back, and one that is cancelled while it waits is passed over", async () => {
  await using server = await startNats();
  const slow = makePlan([{ ...makeWait("hold", 3_600_000), lock: makeText(lock) }], "test.v1.Flows/Slow");
  await using orchestrator = await openOrchestrator(server.url, [plan, slow], { partitions });
  await using _sidecar = await openFakeSidecar(server.url);
  const { front } = orchestrator.processor;
  const holder = await orchestrator.begin(slow);
  await expect.poll(() => eventsOf(orchestrator, holder), { timeout: 5000 }).toContain("lockGranted");
  const waiting = await orchestrator.begin(slow);
  const id = lockId(orchestrator.layouts, lock);
  await expect.poll(() => eventsOf(orchestrator, id), { timeout: 5000 }).toHaveLength(2);
  const last = await orchestrator.begin(plan);
  await expect.poll(() => eventsOf(orchestrator, id), { timeout: 5000 }).toHaveLength(3);
  await front.request(waiting, { kind: "cancel", event: stop }, within());
  await front.request(holder, { kind: "terminate", event: stop }, within());
  expect(await front.wait(last, within())).toMatchObject({ kind: "ended" });
  expect(await eventsOf(orchestrator, waiting)).not.toContain("lockGranted");
});

test("a lock that comes to a run that is gone goes to the next", async () => {
  await using server = await startNats();
  await using orchestrator = await openOrchestrator(server.url, plan, { partitions });
  await using _sidecar = await openFakeSidecar(server.url);
  const gone = "01a1fd89a9fb00000000000000000001";
  const id = parseRunId(lockId(orchestrator.layouts, lock));
  if (id === undefined) throw new Error("no id");
  const holder = { runId: fromHex(gone), step: { step: "take", generation: 0 } };
  const event = Event.encode({ kind: { $case: "lockRequested", value: { lock, holder } } }).finish();
  await orchestrator.ports.logOf(bucketOf(id) % partitions).append(id, "gone", event, { signal: within() });
  const runId = await orchestrator.begin(plan);
  expect(await orchestrator.processor.front.wait(runId, within())).toMatchObject({ kind: "ended" });
  expect(await eventsOf(orchestrator, gone)).toEqual(["lockGranted"]);
});
