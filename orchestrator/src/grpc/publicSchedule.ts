import type { Cron as PlannedCron } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Schedule_Fired as Fired } from "../../../proto/gen/sidestep/internal/v1/schedule.ts";
import { Schedule_State as State, scheduleFired_KindFromJSON } from "../../../proto/gen/sidestep/v1/schedules.ts";
import type { Schedule, ScheduleFired } from "../../../proto/gen/sidestep/v1/schedules.ts";
import { overlap_PolicyFromJSON } from "../../../proto/gen/sidestep/v1/workflow.ts";
import type { Cron } from "../../../proto/gen/sidestep/v1/workflow.ts";
import type { ShownSchedule } from "../processor/schedules.ts";
import { toTimestamp } from "./time.ts";

/** A schedule as the API shows it. */
export function toPublicSchedule({ schedule, nextMs }: ShownSchedule, requestType: string): Schedule {
  const { paused, counts, bufferedMs } = schedule;
  const [next] = nextMs;
  return {
    scheduleId: schedule.id,
    workflow: schedule.workflow,
    cron: schedule.cron === undefined ? undefined : toCron(schedule.cron),
    state: schedule.retired ? State.RETIRED : paused === undefined ? State.ACTIVE : State.PAUSED,
    trigger: schedule.trigger,
    input: Buffer.from(schedule.input),
    requestType,
    actor: schedule.actor,
    createdAt: toTimestamp(schedule.createdMs),
    pausedBy: paused?.actor ?? "",
    pauseReason: paused?.reason ?? "",
    pausedAt: paused === undefined ? undefined : toTimestamp(paused.sinceMs),
    nextAt: next === undefined ? undefined : toTimestamp(next),
    currentRunId: schedule.currentRunId,
    buffered: bufferedMs === undefined ? undefined : toTimestamp(bufferedMs),
    fired: schedule.fired.map(toFired).toReversed(),
    started: BigInt(counts?.started ?? 0),
    joined: BigInt(counts?.joined ?? 0),
    unwanted: BigInt(counts?.unwanted ?? 0),
    failed: BigInt(counts?.failed ?? 0),
    skipped: BigInt(counts?.skipped ?? 0),
    missed: BigInt(counts?.missed ?? 0),
    backfills: schedule.backfills.length,
  };
}

// Both count from their first kind on; the public one has an unspecified before it.
function toFired({ nominalMs, atMs, kind, runId, note }: Fired): ScheduleFired {
  return {
    nominal: toTimestamp(nominalMs),
    at: toTimestamp(atMs),
    kind: scheduleFired_KindFromJSON(kind + 1),
    runId,
    note,
  };
}

function toCron({ line, timeZone, everyMs, phaseMs, overlap, catchUpMs, jitterMs }: PlannedCron): Cron {
  return {
    line,
    timeZone,
    every: durationText(everyMs),
    phase: durationText(phaseMs),
    overlap: overlap_PolicyFromJSON(overlap + 1),
    catchUp: durationText(catchUpMs),
    jitter: durationText(jitterMs),
  };
}

const units = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
  ["ms", 1],
] as const;

/** As the schema spells durations, nothing rounded; empty: none. */
function durationText(ms: number): string {
  let left = Math.round(ms);
  let text = "";
  for (const [unit, size] of units) {
    const count = Math.floor(left / size);
    if (count > 0) text += `${count}${unit}`;
    left -= count * size;
  }
  return text;
}
