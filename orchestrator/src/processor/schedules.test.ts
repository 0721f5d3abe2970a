import { expect, test } from "vitest";
import { Cron_Overlap as Overlap } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import { Schedule, Schedule_Kind as Kind } from "../../../proto/gen/sidestep/internal/v1/schedule.ts";
import { Cron } from "../../../proto/gen/sidestep/v1/workflow.ts";
import { makePlan } from "../../../test/support/orchestrators.ts";
import { following, retired } from "./contractSchedules.ts";
import { toSchedules } from "./schedules.ts";
import type { ScheduledOutcome } from "./scheduleStart.ts";
import { fakeScheduleStore } from "./testing/schedules.ts";

const minute = 60_000;
const nowMs = Date.parse("2026-11-29T12:00:00Z");
const plan = makePlan([]);
const { workflow } = plan.plan;
const every = Cron.fromPartial({ every: "1m" });

function open(come: ScheduledOutcome = { kind: "waits", reason: "not here" }) {
  const store = fakeScheduleStore();
  const active = { workflow, version: 1, plan, planHash: new Uint8Array(32) };
  const schedules = toSchedules({
    store,
    workflows: { active: (name) => Promise.resolve(name === workflow ? active : undefined) },
    start: () => Promise.resolve(come),
    now: () => nowMs,
  });
  const create = (id: string, more: Partial<Parameters<typeof schedules.create>[0]> = {}) => {
    const made = { id, workflow, cron: every, input: new Uint8Array(), isPaused: false, actor: "ann", reason: "" };
    return schedules.create({ ...made, ...more });
  };
  return { store, schedules, create };
}

test("an id of 100 characters is taken, one over is not", async () => {
  const { create } = open();
  expect(await create("a".repeat(100))).toMatchObject({ kind: "shown" });
  for (const id of ["a".repeat(101), "", "-a", "a.b", "a/b"])
    expect(await create(id)).toMatchObject({ kind: "invalid" });
});

test("a request of another type, an unknown workflow and wrong times are refused before anything is written", async () => {
  const { create, store } = open();
  expect(await create("a", { input: new TextEncoder().encode("not protobuf") })).toMatchObject({ kind: "invalid" });
  expect(await create("a", { workflow: "no.Such/Flow" })).toEqual({ kind: "unknownWorkflow" });
  expect(await create("a", { cron: undefined })).toMatchObject({ kind: "invalid", message: "nothing says when" });
  expect(await create("a", { cron: Cron.fromPartial({ line: "* * *" }) })).toMatchObject({ kind: "invalid" });
  expect(store.all()).toEqual([]);
});

test("a backfill of 1,000 nominal times is taken, one over is not", async () => {
  const { create, schedules } = open();
  await create("a");
  const until = nowMs - minute;
  expect(await schedules.backfill("a", until - 1_000 * minute, until)).toEqual({ kind: "backfilling", times: 1_000 });
  expect(await schedules.backfill("a", until - 1_001 * minute, until)).toMatchObject({ kind: "invalid" });
  expect(await schedules.backfill("a", until, until)).toMatchObject({ kind: "invalid" });
  expect(await schedules.backfill("a", until, nowMs + 1)).toMatchObject({ kind: "invalid" });
  expect(await schedules.backfill("a", Number.NaN, until)).toMatchObject({ kind: "invalid" });
});

test("ten spans are made up for at a time, one more is refused", async () => {
  const { create, schedules } = open();
  await create("a");
  for (let span = 0; span < 10; span++) {
    expect(await schedules.backfill("a", nowMs - 10 * minute, nowMs)).toEqual({ kind: "backfilling", times: 10 });
  }
  expect(await schedules.backfill("a", nowMs - 10 * minute, nowMs)).toEqual({ kind: "backfills", max: 10 });
});

test("a change meets what others have written meanwhile, and is made on top of it", async () => {
  const { create, schedules, store } = open();
  await create("a");
  store.onWrite = () => {
    store.onWrite = () => undefined;
    const stands = store.heard("a");
    if (stands !== undefined) void store.write({ ...stands.schedule, currentRunId: "run" }, stands.revision);
  };
  expect(await schedules.pause("a", { actor: "bob", reason: "stocktaking" })).toMatchObject({
    kind: "shown",
    schedule: { currentRunId: "run", paused: { actor: "bob", reason: "stocktaking", sinceMs: nowMs } },
    nextMs: [],
  });
});

test("what is triggered is told and kept once; what starts nothing says why", async () => {
  const started = open({ kind: "come", come: { kind: Kind.STARTED, runId: "r1", note: "" } });
  await started.create("a");
  const trigger = () => started.schedules.trigger("a", "k", AbortSignal.timeout(1_000));
  const told = { kind: "triggered", runId: "r1" };
  expect([await trigger(), await trigger()]).toEqual([told, told]);
  expect(started.store.heard("a")?.schedule).toMatchObject({ currentRunId: "r1", counts: { started: 1 } });
  const failing = open({ kind: "come", come: { kind: Kind.FAILED, runId: "", note: "no such thing" } });
  await failing.create("a");
  expect(await failing.schedules.trigger("a", undefined, AbortSignal.timeout(1_000))).toEqual({
    kind: "notStarted",
    message: "no such thing",
  });
  expect(await failing.schedules.trigger("b", undefined, AbortSignal.timeout(1_000))).toEqual({ kind: "unknown" });
});

test("NATS being away is said, and nothing is thrown", async () => {
  const { schedules, store } = open();
  store.read = () => Promise.reject(new Error("no responders"));
  expect(await schedules.describe("a")).toEqual({ kind: "unavailable", message: "no responders" });
});

const times = {
  line: "",
  everyMs: minute,
  phaseMs: 0,
  timeZone: "",
  overlap: Overlap.SKIP,
  catchUpMs: minute,
  jitterMs: 0,
};
const wanted = { id: `${workflow}/t`, workflow, trigger: "t", cron: times };

test("a contract's schedule begins now, and with other times begins anew", () => {
  const made = following(undefined, wanted, 5, nowMs);
  expect(made).toMatchObject({ id: wanted.id, cursorMs: nowMs, definitions: 5, retired: false });
  expect(following(made, wanted, 9, nowMs + minute)).toBe(made);
  const other = { ...wanted, cron: { ...times, everyMs: 2 * minute } };
  const firing = { nominalMs: nowMs, notedMs: nowMs, backfill: false };
  const begun = { ...made, firing, bufferedMs: nowMs };
  expect(following(begun, other, 6, nowMs + minute)).toMatchObject({
    cursorMs: nowMs + minute,
    firing,
    bufferedMs: undefined,
    definitions: 6,
    cron: { everyMs: 2 * minute },
  });
});

test("whoever knows an older contract leaves the record alone", () => {
  const made = following(undefined, wanted, 5, nowMs);
  expect(following(made, { ...wanted, cron: { ...times, everyMs: 1_000 } }, 4, nowMs)).toBe(made);
  expect(retired(made, 4)).toBe(made);
  const gone = retired(made, 6);
  expect(gone).toMatchObject({ retired: true, definitions: 6 });
  expect(following(gone, wanted, 5, nowMs)).toBe(gone);
  expect(following(gone, wanted, 7, nowMs + minute)).toMatchObject({ retired: false, cursorMs: nowMs + minute });
});

test("what was made by request is never retired", () => {
  const made = Schedule.fromPartial({ id: "a", workflow, cron: times });
  expect(retired(made, 9)).toBe(made);
});
