import type { Schedule, Schedule_Firing as Firing } from "../../../../proto/gen/sidestep/internal/v1/schedule.ts";
import { Schedule_Kind as Kind } from "../../../../proto/gen/sidestep/internal/v1/schedule.ts";
import { Cron_Overlap as Overlap } from "../../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Cron } from "../../../../proto/gen/sidestep/internal/v1/plan.ts";
import { nextNominal, nominalTimes } from "./calendar.ts";
import type { Timetable } from "./calendar.ts";
import { putOffMs } from "./jitter.ts";
import { noteFired } from "./noteFired.ts";
import { toTimetable } from "./timetable.ts";

/** What is to be done with a schedule now. */
export type ScheduleStep =
  /** Nothing until then; undefined: nothing until the record is another. */
  | { readonly kind: "sleep"; readonly untilMs: number | undefined }
  /** It depends on whether this run goes on. */
  | { readonly kind: "ask"; readonly runId: string }
  /** The record is to be replaced by this one, and then it is looked at again. */
  | { readonly kind: "note"; readonly schedule: Schedule }
  /** A start that is noted is to be made, again if need be. */
  | { readonly kind: "start"; readonly firing: Firing }
  /** For the end of this run, but not longer than until then; `cancel`: it is to be cancelled. */
  | { readonly kind: "wait"; readonly runId: string; readonly cancel: boolean; readonly untilMs: number | undefined };

/** Nominal times counted as missed in one note; an outage may hold more, then it is noted again. */
const missedAtOnceMax = 1_000;

/**
 * The next thing that a schedule asks for. Pure: the record, the time and what is known of the current run (undefined: not asked yet) decide.
 * A start is made only after it has been noted, so that whoever comes next makes the same one again.
 */
export function nextStep(schedule: Schedule, nowMs: number, isGoingOn: boolean | undefined): ScheduleStep {
  const { firing, bufferedMs, currentRunId } = schedule;
  if (firing !== undefined) return { kind: "start", firing };
  if (schedule.retired) return { kind: "sleep", untilMs: undefined };
  const isPaused = schedule.paused !== undefined;
  if (!isPaused && bufferedMs !== undefined && isGoingOn !== true) {
    if (currentRunId !== "" && isGoingOn === undefined) return { kind: "ask", runId: currentRunId };
    return note({ ...schedule, bufferedMs: undefined, currentRunId: "" }, bufferedMs, nowMs);
  }
  const due = isPaused ? undefined : dueOf(schedule, nowMs, isGoingOn);
  if (due?.kind === "ask" || due?.kind === "note") return due;
  if (schedule.backfills.length > 0) return makeUp(schedule, nowMs);
  const untilMs = due?.untilMs;
  if (isPaused || bufferedMs === undefined) return { kind: "sleep", untilMs };
  return { kind: "wait", runId: currentRunId, cancel: overlapOf(schedule) === Overlap.CANCEL_OTHER, untilMs };
}

/** The time at which nextStep has something to do, as far as the record alone tells; undefined: not by itself. */
export function dueMs(schedule: Schedule, nowMs: number): number | undefined {
  const { firing, retired, paused, backfills, bufferedMs } = schedule;
  if (firing !== undefined) return nowMs;
  if (retired) return undefined;
  if (backfills.length > 0 || (bufferedMs !== undefined && paused === undefined)) return nowMs;
  if (paused !== undefined) return undefined;
  const nominalMs = nextNominal(toTimetable(cronOf(schedule)), schedule.cursorMs);
  return nominalMs === undefined ? undefined : putOffMs(schedule, nominalMs);
}

/** Nominal times that come next. */
export function comingTimes(schedule: Schedule, count: number): readonly number[] {
  if (schedule.retired || schedule.paused !== undefined) return [];
  const { cursorMs } = schedule;
  return nominalTimes(toTimetable(cronOf(schedule)), cursorMs + 1, Number.POSITIVE_INFINITY, count);
}

function dueOf(
  schedule: Schedule,
  nowMs: number,
  isGoingOn: boolean | undefined,
): Extract<ScheduleStep, { readonly kind: "sleep" | "ask" | "note" }> {
  const timetable = toTimetable(cronOf(schedule));
  const { currentRunId, cursorMs } = schedule;
  const nominalMs = nextNominal(timetable, cursorMs);
  if (nominalMs === undefined) return { kind: "sleep", untilMs: undefined };
  const oldestMs = nowMs - cronOf(schedule).catchUpMs;
  if (nominalMs < oldestMs) return { kind: "note", schedule: passBy(schedule, timetable, oldestMs, nowMs) };
  const atMs = putOffMs(schedule, nominalMs);
  if (atMs > nowMs) return { kind: "sleep", untilMs: atMs };
  const overlap = overlapOf(schedule);
  if (overlap === Overlap.ALLOW || currentRunId === "") return note(schedule, nominalMs, nowMs);
  if (isGoingOn === undefined) return { kind: "ask", runId: currentRunId };
  if (!isGoingOn) return note({ ...schedule, currentRunId: "" }, nominalMs, nowMs);
  return { kind: "note", schedule: { ...heldUp(schedule, overlap, nominalMs, nowMs), cursorMs: nominalMs } };
}

/** Times that nobody came to look at in their window. */
function passBy(schedule: Schedule, timetable: Timetable, oldestMs: number, nowMs: number): Schedule {
  const { count, lastMs } = missedOf(timetable, schedule.cursorMs, oldestMs);
  const said = count === 1 ? "" : `${count} nominal times up to here`;
  return {
    ...noteFired(schedule, { kind: Kind.MISSED, nominalMs: lastMs, atMs: nowMs, runId: "", note: said }, count),
    cursorMs: lastMs,
  };
}

/** Nominal times after `cursorMs` and before `oldestMs`: there is one at least. */
function missedOf(timetable: Timetable, cursorMs: number, oldestMs: number): { count: number; lastMs: number } {
  if (timetable.kind === "interval") {
    const { everyMs, phaseMs } = timetable;
    const first = Math.floor((cursorMs - phaseMs) / everyMs) + 1;
    const last = Math.ceil((oldestMs - phaseMs) / everyMs) - 1;
    return { count: last - first + 1, lastMs: last * everyMs + phaseMs };
  }
  const times = nominalTimes(timetable, cursorMs + 1, oldestMs, missedAtOnceMax);
  return { count: times.length, lastMs: times.at(-1) ?? oldestMs };
}

/** What becomes of a nominal time while the run before goes on. */
function heldUp(schedule: Schedule, overlap: Overlap, nominalMs: number, nowMs: number): Schedule {
  const skip = (skippedMs: number): Schedule =>
    noteFired(schedule, {
      kind: Kind.SKIPPED,
      nominalMs: skippedMs,
      atMs: nowMs,
      runId: schedule.currentRunId,
      note: "",
    });
  const { bufferedMs } = schedule;
  switch (overlap) {
    case Overlap.BUFFER_ONE:
      return bufferedMs === undefined ? { ...schedule, bufferedMs: nominalMs } : skip(nominalMs);
    case Overlap.CANCEL_OTHER:
      // The newest is the one that is wanted.
      return { ...(bufferedMs === undefined ? schedule : skip(bufferedMs)), bufferedMs: nominalMs };
    case Overlap.SKIP:
    case Overlap.ALLOW:
    case Overlap.UNRECOGNIZED:
      return skip(nominalMs);
  }
}

/** The next nominal time of the oldest span that was asked for. */
function makeUp(schedule: Schedule, nowMs: number): ScheduleStep {
  const [span, ...others] = schedule.backfills;
  if (span === undefined) return { kind: "sleep", untilMs: undefined };
  const nominalMs = nextNominal(toTimetable(cronOf(schedule)), span.cursorMs);
  if (nominalMs === undefined || nominalMs >= span.untilMs) {
    return { kind: "note", schedule: { ...schedule, backfills: others } };
  }
  const backfills = [{ ...span, cursorMs: nominalMs }, ...others];
  const firing = { nominalMs, notedMs: nowMs, backfill: true };
  return { kind: "note", schedule: { ...schedule, backfills, firing } };
}

function note(schedule: Schedule, nominalMs: number, nowMs: number): Extract<ScheduleStep, { readonly kind: "note" }> {
  const firing = { nominalMs, notedMs: nowMs, backfill: false };
  return { kind: "note", schedule: { ...schedule, cursorMs: Math.max(schedule.cursorMs, nominalMs), firing } };
}

function overlapOf(schedule: Schedule): Overlap {
  return cronOf(schedule).overlap;
}

/** Throws for a record without: nobody makes one. */
export function cronOf({ id, cron }: Schedule): Cron {
  if (cron === undefined) throw new Error(`the record of schedule ${id} has no times`);
  return cron;
}
