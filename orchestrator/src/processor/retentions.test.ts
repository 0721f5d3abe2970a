import { expect, test } from "vitest";
import { AskReply_Verdict } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { Task } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { startNats } from "../../../test/support/nats.ts";
import {
  ask,
  makeCall,
  makePlan,
  makeWait,
  openFakeSidecar,
  openOrchestrator,
} from "../../../test/support/orchestrators.ts";
import type { Orchestrator } from "../../../test/support/orchestrators.ts";
import type { Bounds } from "./ownership.ts";

const { OPEN, CLOSED } = AskReply_Verdict;
const patience = { timeout: 15_000, interval: 30 };
const patient = { timeout: 30_000, interval: 50 };
const within = (): AbortSignal => AbortSignal.timeout(20_000);
const calling = [makeCall("a")];
const plain = makePlan(calling);
const brief = makePlan(calling, "test.v1.Flows/Brief", { keptMs: 500 });
const long = makePlan(calling, "test.v1.Flows/Long", { keptMs: 3_600_000 });
const endless = makePlan([makeWait("long", 3_600_000)], "test.v1.Flows/Endless");
const bounds: Partial<Bounds> = {
  retentionMs: 60_000,
  retentionFailedMs: 400,
  endedIdleMs: 0,
  idleMs: 200,
  sweepEveryMs: 50,
};

async function isThere({ processor }: Orchestrator, runId: RunId): Promise<boolean> {
  return (await processor.front.get(runId)).kind === "run";
}

test("a run is kept as long as its workflow says, else as its end state says; a new owner goes on where each was", async () => {
  await using server = await startNats();
  const plans = [plain, brief, long, endless];
  const first = await openOrchestrator(server.url, plans, { over: { bounds } });
  await using _sidecar = await openFakeSidecar(server.url);
  const finished = async (plan: typeof plain): Promise<RunId> => {
    const runId = await first.begin(plan);
    expect((await first.processor.front.wait(runId, within())).kind).toBe("ended");
    return runId;
  };
  const [kept, gone, keptLong] = [await finished(plain), await finished(brief), await finished(long)];
  const failed = await first.begin(endless);
  const alive = await first.begin(endless);
  const event = { reason: "", actor: "", requestId: "" };
  await first.processor.front.request(failed, { kind: "terminate", event }, within());
  await expect.poll(() => isThere(first, gone), patience).toBe(false);
  await expect.poll(() => isThere(first, failed), patience).toBe(false);
  expect(await Promise.all([kept, keptLong, alive].map((runId) => isThere(first, runId)))).toEqual([true, true, true]);
  // Of the brief ones none is left.
  const sweeps = async () => (await first.ports.leases.read(0))?.lease.sweeps.map(({ retentionMs }) => retentionMs);
  await expect.poll(sweeps, patience).toEqual([3_600_000]);
  await first.kill();
  await using next = await openOrchestrator(server.url, plans, { over: { bounds } });
  const again = await next.begin(brief);
  await expect.poll(() => isThere(next, again), patience).toBe(false);
  expect(await isThere(next, keptLong)).toBe(true);
});

test(
  "a task of a run that is gone is closed though no run is kept so briefly any more, also to who takes over",
  { timeout: 90_000 },
  async () => {
    await using server = await startNats();
    // Long enough for all of this to happen in it.
    const over = { bounds: { ...bounds, retentionMs: 40_000, retentionFailedMs: undefined } };
    const first = await openOrchestrator(server.url, [brief, endless], { over });
    const delivered = Promise.withResolvers<Task>();
    await using _sidecar = await openFakeSidecar(server.url, (task) => {
      delivered.resolve(task);
      return "drop";
    });
    const runId = await first.begin(brief);
    const task = await delivered.promise;
    expect(await ask(first.nats, "one", task, 2)).toBe(OPEN);
    const event = { reason: "", actor: "", requestId: "" };
    await first.processor.front.request(runId, { kind: "terminate", event }, within());
    await expect.poll(() => isThere(first, runId), patient).toBe(false);
    await expect.poll(async () => (await first.ports.leases.read(0))?.lease.sweeps, patient).toEqual([]);
    expect(await ask(first.nats, "one", task, 2)).toBe(CLOSED);
    await first.kill();
    await using next = await openOrchestrator(server.url, [brief, endless], { over });
    await expect.poll(() => ask(next.nats, "one", task, 2), patient).toBe(CLOSED);
  },
);
