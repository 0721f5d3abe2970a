import { expect, test } from "vitest";
import { Cron_Overlap as Overlap } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import { Schedule, Schedule_Kind as Kind } from "../../../proto/gen/sidestep/internal/v1/schedule.ts";
import { fromHex, toRunId } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { silentLog } from "../../../runtime/src/log.ts";
import { makePlan } from "../../../test/support/orchestrators.ts";
import type { Front, StartRequest, StartResult } from "./front.ts";
import { startScheduled } from "./scheduleStart.ts";
import type { ScheduleStartGround } from "./scheduleStart.ts";
import type { ScheduleStore } from "./scheduleStore.ts";
import { openScheduleWork } from "./scheduleWork.ts";
import { fakeScheduleStore } from "./testing/schedules.ts";

const minute = 60_000;
const beginMs = Date.parse("2026-11-29T12:00:00Z");
const nowMs = beginMs + 3 * minute + 1;
const plan = makePlan([]);
const active = { workflow: plan.plan.workflow, version: 1, plan, planHash: new Uint8Array(32) };
const id = "tick";

function makeSchedule(overlap: Overlap): Schedule {
  return Schedule.fromPartial({
    id,
    workflow: plan.plan.workflow,
    cursorMs: beginMs,
    cron: { everyMs: minute, catchUpMs: 60 * minute, overlap },
  });
}

/** What is durable: the record, and the keys of starts. */
function openWorld(overlap: Overlap) {
  const store = fakeScheduleStore();
  const runs = new Map<string, RunId>();
  let starts = 0;
  const start = ({ idempotencyKey = "" }: Pick<StartRequest, "idempotencyKey">): StartResult => {
    starts++;
    const there = runs.get(idempotencyKey);
    if (there !== undefined) return { kind: "joined", runId: there };
    const runId = toRunId(nowMs, 1, 0, fromHex(runs.size.toString(16).padStart(16, "0")));
    runs.set(idempotencyKey, runId);
    return { kind: "started", runId };
  };
  return { store, runs, start, starts: () => starts, made: store.write(makeSchedule(overlap), 0) };
}

type World = ReturnType<typeof openWorld>;

/** An owner that dies at its turn `dieAt`: before what it does there, or after, when it never hears that it is done. */
function openOwner(
  { store, start }: World,
  dieAt: number,
  isDone: boolean,
): { readonly turns: () => number } & Disposable {
  let turns = 0;
  let owner: Disposable | undefined;
  let isDead = false;
  const turn = async <T>(act: () => T | Promise<T>): Promise<T> => {
    const mine = turns++;
    if (isDead) return new Promise(() => undefined);
    if (mine === dieAt) {
      isDead = true;
      owner?.[Symbol.dispose]();
      if (isDone) await act();
      return new Promise(() => undefined);
    }
    return act();
  };
  const mortal: ScheduleStore = {
    ...store,
    read: (...args) => turn(() => store.read(...args)),
    write: (...args) => turn(() => store.write(...args)),
  };
  const front: Front = {
    ...({} as Front),
    start: (request) => turn(() => start(request)),
    // What was started has ended by the time that somebody looks.
    look: () => turn(() => ({ kind: "unknown" as const })),
  };
  const ground: ScheduleStartGround = {
    front,
    workflows: { active: () => turn(() => active) },
    trace: () => ({ traceId: new Uint8Array(16), parentSpanId: new Uint8Array(), sampled: false, tracestate: "" }),
    keptMs: 0,
    now: () => nowMs,
  };
  owner = openScheduleWork({
    store: mortal,
    owned: () => [0],
    partitions: 1,
    start: (starting, signal) => startScheduled(ground, starting, signal),
    front,
    observer: { started: () => undefined, passed: () => undefined },
    now: () => nowMs,
    logger: silentLog,
  });
  return { turns: () => turns, [Symbol.dispose]: () => owner?.[Symbol.dispose]() };
}

const settled = { cursorMs: beginMs + 3 * minute, firing: undefined };
const patience = { timeout: 5_000, interval: 5 };
const keys = [1, 2, 3].map((number) => `schedule/${id}/${beginMs + number * minute}`);

test.each([
  ["ALLOW", Overlap.ALLOW],
  ["SKIP", Overlap.SKIP],
] as const)(
  "an owner may die at any moment, under %s: the next one makes each nominal time one run",
  async (_, overlap) => {
    let deaths = 0;
    for (let dieAt = 0; ; dieAt++) {
      const seen = [false, true].map(async (isDone) => {
        const world = openWorld(overlap);
        await world.made;
        using first = openOwner(world, dieAt, isDone);
        // Dead, or done without having come to that turn.
        await expect
          .poll(() => first.turns() > dieAt || world.store.heard(id)?.schedule.cursorMs === settled.cursorMs, patience)
          .toBe(true);
        const isDead = first.turns() > dieAt;
        using second = openOwner(world, Number.POSITIVE_INFINITY, false);
        await expect.poll(() => world.store.heard(id)?.schedule, patience).toMatchObject(settled);
        expect(second.turns()).toBeGreaterThanOrEqual(0);
        expect([...world.runs.keys()]).toEqual(keys);
        expect(world.store.heard(id)?.schedule.counts).toMatchObject({ started: 3, failed: 0, skipped: 0, missed: 0 });
        return isDead;
      });
      const dead = await Promise.all(seen);
      if (!dead.includes(true)) break;
      deaths += dead.length;
    }
    // For each time: noted, the definition looked up, started, settled.
    expect(deaths).toBeGreaterThanOrEqual(3 * 4 * 2);
  },
);

test("two owners at once make each nominal time one run", async () => {
  const world = openWorld(Overlap.ALLOW);
  await world.made;
  using _one = openOwner(world, Number.POSITIVE_INFINITY, false);
  using _two = openOwner(world, Number.POSITIVE_INFINITY, false);
  await expect.poll(() => world.store.heard(id)?.schedule, patience).toMatchObject(settled);
  expect([...world.runs.keys()]).toEqual(keys);
  expect(world.starts()).toBeGreaterThanOrEqual(3);
  expect(world.store.heard(id)?.schedule.counts?.started).toBe(3);
});

test("a start that was noted longer ago than keys are kept is not made again, and said to have failed", async () => {
  const world = openWorld(Overlap.ALLOW);
  await world.made;
  const schedule = makeSchedule(Overlap.ALLOW);
  const ground: ScheduleStartGround = {
    front: {
      start: () => Promise.reject(new Error("it was started")),
      get: () => Promise.resolve({ kind: "unknown" }),
    },
    workflows: { active: () => Promise.resolve(active) },
    trace: () => ({ traceId: new Uint8Array(16), parentSpanId: new Uint8Array(), sampled: false, tracestate: "" }),
    keptMs: 10 * minute,
    now: () => nowMs,
  };
  const start = (notedMs: number) =>
    startScheduled(ground, { schedule, nominalMs: beginMs, notedMs }, AbortSignal.timeout(1_000));
  expect(await start(nowMs - 10 * minute)).toMatchObject({ kind: "come", come: { kind: Kind.FAILED, runId: "" } });
  await expect(start(nowMs - 8 * minute)).rejects.toThrow("it was started");
});
