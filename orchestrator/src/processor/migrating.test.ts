import { hash } from "node:crypto";
import { expect, test } from "vitest";
import { Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Migrated } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { Signal } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Plan, Step } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { startNats } from "../../../test/support/nats.ts";
import {
  makeCall,
  makePlan,
  makeWait,
  openFakeSidecar,
  openOrchestrator,
} from "../../../test/support/orchestrators.ts";
import type { Orchestrator } from "../../../test/support/orchestrators.ts";
import type { LoadedPlan } from "../engine/plan.ts";
import type { PartitionLog } from "./ports.ts";

const patience = { timeout: 15_000, interval: 30 };
const within = (): AbortSignal => AbortSignal.timeout(20_000);

/** Versions are told apart by their names here. */
function versionOf(number: number, steps: readonly Step[], over: Partial<Plan> = {}): LoadedPlan {
  return makePlan(steps, `test.v1.Flows/Flow${number}`, over);
}

function requestTo({ plan }: LoadedPlan, requestId: string, dropSignals = false) {
  const planHash = hash("sha256", plan.workflow, "buffer");
  return { version: Number(plan.workflow.at(-1)), planHash, reason: "", actor: "", requestId, dropSignals };
}

async function migrationsOf({ ports }: Orchestrator, runId: RunId): Promise<readonly Migrated[]> {
  const messages = await ports.logOf(0).load(runId);
  return messages.flatMap(({ subject, data }) => {
    const kind = subject.endsWith(".e") ? Event.decode(data).kind : undefined;
    return kind?.$case === "migrated" ? [kind.value] : [];
  });
}

/** A door of its own, whose log is another one. */
async function openDoor(
  url: string,
  plans: readonly LoadedPlan[],
  toLog: (log: PartitionLog) => Partial<PartitionLog>,
): Promise<Orchestrator> {
  const inner = await openOrchestrator(url, plans, { owns: [] });
  const logOf = (partition: number): PartitionLog => {
    const log = inner.ports.logOf(partition);
    return { ...log, ...toLog(log) };
  };
  const door = await openOrchestrator(url, plans, { owns: [], over: { ports: { ...inner.ports, logOf } } });
  const dispose = door[Symbol.asyncDispose].bind(door);
  return {
    ...door,
    [Symbol.asyncDispose]: async () => {
      await dispose();
      await inner[Symbol.asyncDispose]();
    },
  };
}

test("what came of a call while the events were read is looked at, before the run goes on otherwise", async () => {
  await using server = await startNats();
  const from = versionOf(1, [makeCall("a"), makeWait("w", 60_000)]);
  const to = versionOf(2, [makeCall("a"), makeWait("w", 30_000)]);
  await using owner = await openOrchestrator(server.url, [from, to]);
  await using _sidecar = await openFakeSidecar(server.url);
  const runId = await owner.begin(from);
  const positions = () => owner.ports.logOf(0).positions(runId);
  await expect.poll(async () => (await positions()).outcome, patience).toBeGreaterThan(0);
  const event = { reason: "", actor: "", requestId: "an event behind it" };
  await owner.processor.front.request(runId, { kind: "pause", event }, within());
  let reads = 0;
  await using door = await openDoor(server.url, [from, to], (log) => ({
    // Both subjects are asked for at once: here the outcome came when that of outcomes had been answered, and the event before the other was.
    load: async (id) => (await log.load(id)).filter(({ subject }) => ++reads > 3 || subject.endsWith(".e")),
  }));
  const result = await door.processor.front.migrate(runId, requestTo(to, "m"), within());
  expect(result).toMatchObject({ kind: "differs", step: "" });
  expect(await migrationsOf(owner, runId)).toEqual([]);
});

test("who migrates a run does not take back what somebody else makes of it right after", async () => {
  await using server = await startNats();
  const versions = [1, 2, 3].map((number) => versionOf(number, [makeWait("w", 60_000), makeCall(`v${number}`)]));
  const [from, to, next] = versions;
  if (from === undefined || to === undefined || next === undefined) throw new Error("three versions");
  await using owner = await openOrchestrator(server.url, versions);
  const runId = await owner.begin(from);
  await using door = await openDoor(server.url, versions, (log) => ({
    appendAfter: async (...about) => {
      const written = await log.appendAfter(...about);
      if ((await migrationsOf(owner, runId)).length === 1)
        await owner.processor.front.migrate(runId, requestTo(next, "other"), within());
      return written;
    },
  }));
  expect(await door.processor.front.migrate(runId, requestTo(to, "m"), within())).toEqual({ kind: "done", at: "w" });
  expect((await migrationsOf(owner, runId)).map(({ version }) => version)).toEqual([2, 3]);
});

test("signals that wait are lost only if somebody said that they may be, and the history says which", async () => {
  await using server = await startNats();
  const go = Signal.fromPartial({ name: "go", type: "google.protobuf.StringValue" });
  const from = versionOf(1, [makeWait("w", 60_000)], { signals: [go] });
  const to = versionOf(2, [makeWait("w", 60_000)]);
  await using owner = await openOrchestrator(server.url, [from, to]);
  const { front } = owner.processor;
  const runId = await owner.begin(from);
  for (const requestId of ["one", "two"]) {
    const event = { name: "go", payload: new Uint8Array(), actor: "", requestId };
    expect(await front.request(runId, { kind: "signal", event }, within())).toMatchObject({ kind: "done" });
  }
  const signals = [{ name: "go", count: 2 }];
  expect(await front.migrate(runId, requestTo(to, "m"), within())).toEqual({ kind: "drops", signals });
  expect(await migrationsOf(owner, runId)).toEqual([]);
  expect(await front.migrate(runId, requestTo(to, "m", true), within())).toMatchObject({ kind: "done" });
  expect(await migrationsOf(owner, runId)).toMatchObject([{ version: 2, droppedSignals: signals }]);
  const got = await front.get(runId);
  expect(got).toMatchObject({ run: { version: 2, signalsWaiting: 0 } });
  // Back again nothing is to be dropped: what came is folded by its first version, and waits again.
  expect(await front.migrate(runId, requestTo(from, "back"), within())).toMatchObject({ kind: "done" });
  expect(await front.get(runId)).toMatchObject({ run: { version: 1, signalsWaiting: 2 } });
});

test("who asks for the plan of a migrated run gets the one that it goes by, wherever it is", async () => {
  await using server = await startNats();
  const from = versionOf(1, [makeWait("w", 60_000)]);
  const go = Signal.fromPartial({ name: "go", type: "google.protobuf.StringValue" });
  const to = versionOf(2, [makeWait("w", 60_000)], { signals: [go] });
  await using owner = await openOrchestrator(server.url, [from, to]);
  await using door = await openOrchestrator(server.url, [from, to], { owns: [] });
  const runId = await owner.begin(from);
  expect(await door.processor.front.migrate(runId, requestTo(to, "m"), within())).toMatchObject({ kind: "done" });
  for (const { processor } of [owner, door]) {
    const takesGo = ({ signals }: LoadedPlan): boolean => signals.some(({ name }) => name === "go");
    const found = await processor.front.planOf(runId, takesGo);
    expect(found.kind === "plan" && takesGo(found.plan)).toBe(true);
    const any = await processor.front.planOf(runId, () => true);
    expect(any.kind).toBe("plan");
  }
});
