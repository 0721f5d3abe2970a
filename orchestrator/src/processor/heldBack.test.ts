import { expect, test } from "vitest";
import type { Hold } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import { HistoryEvent_Kind as Kind, Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { startNats } from "../../../test/support/nats.ts";
import {
  makeCall,
  makePlan,
  openFakeSidecar,
  openOrchestrator,
  service,
  timersLeft,
} from "../../../test/support/orchestrators.ts";
import type { Orchestrator } from "../../../test/support/orchestrators.ts";
import { pause } from "../../../runtime/src/pause.ts";
import { openHeldBack } from "./heldBack.ts";

const workflow = "test.v1.Flows/Flow";
const method = `${service}/Do`;
const within = (): AbortSignal => AbortSignal.timeout(25_000);

function makeHold(target: Hold["target"]): Hold {
  return { target, reason: "its database moves", actor: "ann", sinceMs: 0 };
}

async function setHolds({ ports: { holds } }: Orchestrator, hold: readonly Hold[]): Promise<void> {
  const { revision } = await holds.read();
  expect(await holds.write({ hold: [...hold] }, revision)).toMatchObject({ kind: "held" });
}

async function deferrals({ processor }: Orchestrator, runId: RunId): Promise<readonly string[]> {
  const found = await processor.front.history(runId, 0, 100);
  const events = found.kind === "history" ? found.events : [];
  return events.flatMap(({ kind, text }) => (kind === Kind.COMMAND_DEFERRED ? [text] : []));
}

test("a hold names calls by workflow, method or service, and says who holds them and why", async () => {
  let hold: Hold[] = [];
  let revision = 0;
  using held = openHeldBack({ read: () => Promise.resolve({ holds: { hold }, revision: ++revision }) });
  let released = 0;
  held.onRelease(() => released++);
  const reasonOf = async (target: Hold["target"]) => {
    hold = [makeHold(target)];
    await held.refresh();
    return held.reasonFor(workflow, method);
  };
  expect(held.reasonFor(workflow, method)).toBeUndefined();
  expect(await reasonOf({ $case: "workflow", value: workflow })).toBe(
    `held: workflow ${workflow} by ann: its database moves`,
  );
  expect(await reasonOf({ $case: "method", value: method })).toContain(`held: method ${method}`);
  expect(await reasonOf({ $case: "service", value: service })).toContain(`held: service ${service}`);
  expect(await reasonOf({ $case: "service", value: "test.v1.Others" })).toBeUndefined();
  expect(released).toBe(3);
});

/** Those of a run that has just begun: its first turn writes them. */
async function deferralsSoon(orchestrator: Orchestrator, runId: RunId): Promise<readonly string[]> {
  await pause(100);
  return deferrals(orchestrator, runId);
}

test("calls of a held service wait, the checkpoint does not, and all go on as soon as it is released", async () => {
  await using server = await startNats();
  const plan = makePlan([makeCall("a"), makeCall("b")]);
  await using orchestrator = await openOrchestrator(server.url, plan);
  await using sidecar = await openFakeSidecar(server.url);
  await expect.poll(() => orchestrator.processor.owned(), { timeout: 5000 }).toEqual([0]);
  await setHolds(orchestrator, [makeHold({ $case: "service", value: service })]);
  // Read each second.
  await expect
    .poll(async () => deferralsSoon(orchestrator, await orchestrator.begin(plan)), { timeout: 5000, interval: 300 })
    .toEqual([`held: service ${service} by ann: its database moves`]);
  const before = sidecar.calls.length;
  const runs = await Promise.all([orchestrator.begin(plan), orchestrator.begin(plan)]);
  await expect.poll(() => orchestrator.processor.backlog(0), { timeout: 5000 }).toBe(0);
  expect(sidecar.calls.length).toBe(before);
  await setHolds(orchestrator, []);
  const { front } = orchestrator.processor;
  for (const runId of runs) {
    expect(await front.wait(runId, within())).toMatchObject({ kind: "ended", ended: { state: Run_State.COMPLETED } });
    expect(await deferrals(orchestrator, runId)).toHaveLength(1);
  }
  await expect.poll(() => timersLeft(server.url), { timeout: 5000 }).toEqual([]);
});

test("a held run that is not in memory any more goes on as soon as it is released", async () => {
  await using server = await startNats();
  const plan = makePlan([makeCall("a")]);
  const bounds = { idleMs: 100, sweepEveryMs: 50 };
  await using orchestrator = await openOrchestrator(server.url, plan, { over: { bounds } });
  await using _sidecar = await openFakeSidecar(server.url);
  await setHolds(orchestrator, [makeHold({ $case: "service", value: service })]);
  const begun: RunId[] = [];
  const begin = async (): Promise<readonly string[]> => {
    const runId = await orchestrator.begin(plan);
    begun.push(runId);
    return deferralsSoon(orchestrator, runId);
  };
  // Read each second; the last run finds it.
  await expect.poll(begin, { timeout: 5000, interval: 300 }).toHaveLength(1);
  const { counts, front } = orchestrator.processor;
  await expect.poll(() => counts.evictions, { timeout: 5000 }).toBeGreaterThanOrEqual(begun.length);
  await setHolds(orchestrator, []);
  for (const runId of begun)
    expect(await front.wait(runId, within())).toMatchObject({ kind: "ended", ended: { state: Run_State.COMPLETED } });
});

test("an owner that takes over knows what is held before it asks for anything", async () => {
  await using server = await startNats();
  const plan = makePlan([makeCall("a")]);
  await using door = await openOrchestrator(server.url, plan, { over: { ownsPartitions: false } });
  await using sidecar = await openFakeSidecar(server.url);
  await setHolds(door, [makeHold({ $case: "workflow", value: workflow })]);
  const runId = await door.begin(plan);
  await using _owner = await openOrchestrator(server.url, plan);
  await expect.poll(() => deferrals(door, runId), { timeout: 5000 }).toHaveLength(1);
  expect(sidecar.calls).toEqual([]);
});
