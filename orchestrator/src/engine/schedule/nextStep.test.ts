import { describe, expect, it } from "vitest";
import { Cron_Overlap as Overlap } from "../../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Cron } from "../../../../proto/gen/sidestep/internal/v1/plan.ts";
import { Schedule, Schedule_Kind as Kind } from "../../../../proto/gen/sidestep/internal/v1/schedule.ts";
import { putOffMs } from "./jitter.ts";
import { comingTimes, dueMs, nextStep } from "./nextStep.ts";
import { settleFiring } from "./noteFired.ts";

const minute = 60_000;
const begin = Date.parse("2026-11-29T12:00:00Z");
const every: Cron = {
  line: "",
  everyMs: minute,
  phaseMs: 0,
  timeZone: "",
  overlap: Overlap.SKIP,
  catchUpMs: 60 * minute,
  jitterMs: 0,
};

/** Made at `begin`. */
function make(over: Partial<Schedule> = {}, cron: Partial<Cron> = {}): Schedule {
  return Schedule.fromPartial({ id: "tick", workflow: "a.B/C", cursorMs: begin, cron: { ...every, ...cron }, ...over });
}

/** What was noted. */
function noted(schedule: Schedule, nowMs: number, isGoingOn?: boolean): Schedule {
  const step = nextStep(schedule, nowMs, isGoingOn);
  if (step.kind !== "note") throw new Error(`${step.kind} came`);
  return step.schedule;
}

/** All that a schedule does at a time, its runs being as they are said to be. */
function settle(schedule: Schedule, nowMs: number, isGoingOn: boolean): { schedule: Schedule; started: number[] } {
  const started: number[] = [];
  let current = schedule;
  let known: boolean | undefined;
  for (let turn = 0; turn < 1_000; turn++) {
    const step = nextStep(current, nowMs, known);
    switch (step.kind) {
      case "sleep":
      case "wait":
        return { schedule: current, started };
      case "ask":
        known = isGoingOn;
        break;
      case "note":
        current = step.schedule;
        known = undefined;
        break;
      case "start":
        started.push(step.firing.nominalMs);
        current = settleFiring(current, { kind: Kind.STARTED, runId: `run ${step.firing.nominalMs}`, note: "" }, nowMs);
        known = undefined;
    }
  }
  throw new Error("it never comes to rest");
}

describe("a schedule", () => {
  it("sleeps until its next nominal time", () => {
    expect(nextStep(make(), begin + 1, undefined)).toEqual({ kind: "sleep", untilMs: begin + minute });
    expect(dueMs(make(), begin + 1)).toBe(begin + minute);
    expect(comingTimes(make(), 2)).toEqual([begin + minute, begin + 2 * minute]);
  });

  it("notes a start before it is made, and makes it again until it is settled", () => {
    const firing = noted(make(), begin + minute + 5);
    expect(firing).toMatchObject({
      cursorMs: begin + minute,
      firing: { nominalMs: begin + minute, notedMs: begin + minute + 5, backfill: false },
    });
    for (const later of [0, 90 * minute]) {
      expect(nextStep(firing, begin + minute + later, undefined)).toMatchObject({ kind: "start" });
    }
    const settled = settleFiring(firing, { kind: Kind.STARTED, runId: "r1", note: "" }, begin + minute + 9);
    expect(settled).toMatchObject({ firing: undefined, currentRunId: "r1", counts: { started: 1 } });
    expect(nextStep(settled, begin + minute + 9, undefined)).toMatchObject({ kind: "sleep" });
  });

  it("makes up for its window, oldest first, and counts what is older as missed", () => {
    const { schedule, started } = settle(
      make({}, { catchUpMs: 3 * minute, overlap: Overlap.ALLOW }),
      begin + 10 * minute,
      false,
    );
    expect(started).toEqual([7, 8, 9, 10].map((one) => begin + one * minute));
    expect(schedule.counts).toMatchObject({ missed: 6, started: 4 });
    expect(schedule.fired[0]).toMatchObject({ kind: Kind.MISSED, note: "6 nominal times up to here" });
  });

  it("counts a year of seconds as missed in one note", () => {
    const schedule = make({}, { everyMs: 1_000, catchUpMs: 10_000 });
    const after = noted(schedule, begin + 365 * 86_400_000);
    expect(after.counts?.missed).toBe(365 * 86_400 - 11);
    expect(after.cursorMs).toBe(begin + 365 * 86_400_000 - 11_000);
  });

  it("counts what is missed of a cron line the same way, in several notes", () => {
    const line = make({}, { line: "* * * * *", everyMs: 0, timeZone: "UTC", catchUpMs: 10_000 });
    const { schedule, started } = settle(line, begin + 30_000 * minute, false);
    expect(schedule.counts?.missed).toBe(29_999);
    expect(started).toEqual([begin + 30_000 * minute]);
  });

  it("that is paused or retired does nothing, but for what was begun", () => {
    const paused = { actor: "ann", reason: "", sinceMs: begin };
    for (const over of [{ paused }, { retired: true }]) {
      expect(nextStep(make(over), begin + 10 * minute, undefined)).toEqual({ kind: "sleep", untilMs: undefined });
      expect(dueMs(make(over), begin + 10 * minute)).toBeUndefined();
      expect(comingTimes(make(over), 1)).toEqual([]);
      const firing = { nominalMs: begin, notedMs: begin, backfill: false };
      expect(nextStep(make({ ...over, firing }), begin + minute, undefined)).toMatchObject({ kind: "start" });
    }
  });
});

describe("while the run before goes on", () => {
  const current = { currentRunId: "r0" };
  const at = begin + minute;

  it("asks for its end, unless runs may overlap", () => {
    expect(nextStep(make(current), at, undefined)).toEqual({ kind: "ask", runId: "r0" });
    expect(nextStep(make(current, { overlap: Overlap.ALLOW }), at, undefined).kind).toBe("note");
  });

  it("SKIP leaves the start out", () => {
    const { schedule, started } = settle(make(current), at + 2 * minute, true);
    expect(started).toEqual([]);
    expect(schedule).toMatchObject({
      cursorMs: at + 2 * minute,
      counts: { skipped: 3, started: 0 },
      currentRunId: "r0",
    });
    expect(settle(make(current), at, false).started).toEqual([at]);
  });

  it("BUFFER_ONE keeps the first for its end, and leaves the others out", () => {
    const held = settle(make(current, { overlap: Overlap.BUFFER_ONE }), at + minute, true);
    expect(held.started).toEqual([]);
    expect(held.schedule).toMatchObject({ bufferedMs: at, counts: { skipped: 1 } });
    expect(nextStep(held.schedule, at + minute, true)).toEqual({
      kind: "wait",
      runId: "r0",
      cancel: false,
      untilMs: at + 2 * minute,
    });
    const free = settle(held.schedule, at + minute, false);
    expect(free.started).toEqual([at]);
    expect(free.schedule).toMatchObject({ bufferedMs: undefined, cursorMs: at + minute });
  });

  it("CANCEL_OTHER wants the run cancelled, and starts the newest at its end", () => {
    const held = settle(make(current, { overlap: Overlap.CANCEL_OTHER }), at + minute, true);
    expect(held.schedule).toMatchObject({ bufferedMs: at + minute, counts: { skipped: 1 } });
    expect(nextStep(held.schedule, at + minute, true)).toMatchObject({ kind: "wait", runId: "r0", cancel: true });
    expect(settle(held.schedule, at + minute, false).started).toEqual([at + minute]);
  });
});

describe("a backfill", () => {
  it("starts each nominal time of its span, and goes by itself", () => {
    const backfills = [{ cursorMs: begin - 3 * minute - 1, untilMs: begin - minute }];
    const paused = { actor: "", reason: "", sinceMs: begin };
    const { schedule, started } = settle(make({ backfills, paused, currentRunId: "r0" }), begin, true);
    expect(started).toEqual([begin - 3 * minute, begin - 2 * minute]);
    expect(schedule).toMatchObject({ backfills: [], currentRunId: "r0", cursorMs: begin, counts: { started: 2 } });
  });
});

describe("jitter", () => {
  it("is the same for whoever asks, below the bound, and never as far as the next time", () => {
    const put = (id: string, nominalMs: number, jitterMs: number): number =>
      putOffMs(make({ id }, { jitterMs }), nominalMs) - nominalMs;
    const offs = Array.from({ length: 500 }, (_, index) => put(`s${index}`, begin, 30_000));
    expect(offs).toEqual(Array.from({ length: 500 }, (_, index) => put(`s${index}`, begin, 30_000)));
    expect(Math.max(...offs)).toBeLessThan(30_000);
    // Evenly enough that a thousand schedules of one minute don't come at once.
    for (let from = 0; from < 30_000; from += 3_000)
      expect(offs.filter((off) => off >= from && off < from + 3_000).length).toBeGreaterThan(20);
    for (let index = 0; index < 100; index++)
      expect(put("s", begin + index * minute, 10 * minute)).toBeLessThan(minute);
  });
});
