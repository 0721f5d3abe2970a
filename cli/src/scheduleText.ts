import { scheduleFired_KindToJSON, Schedule_State as State } from "../../proto/gen/sidestep/v1/schedules.ts";
import type { DescribeScheduleResponse, Schedule } from "../../proto/gen/sidestep/v1/schedules.ts";
import { overlap_PolicyToJSON } from "../../proto/gen/sidestep/v1/workflow.ts";
import type { Cron } from "../../proto/gen/sidestep/v1/workflow.ts";
import { listText, tableText } from "./table.ts";
import { relativeText, timeText } from "./time.ts";

/** When it starts runs: "30 2 * * * Europe/Berlin", "every 15m". */
export function timesText({ cron }: Schedule): string {
  if (cron === undefined) return "";
  if (cron.every === "") return `${cron.line} ${cron.timeZone}`;
  return `every ${cron.every}${cron.phase === "" ? "" : `, put off by ${cron.phase}`}`;
}

/** Whether it does. */
export function stateText({ state, pausedBy, pauseReason }: Schedule): string {
  switch (state) {
    case State.ACTIVE:
      return "active";
    case State.PAUSED: {
      const why = [pauseReason, pausedBy === "" ? "" : `by ${pausedBy}`].filter((part) => part !== "");
      return why.length === 0 ? "paused" : `paused (${why.join(", ")})`;
    }
    case State.RETIRED:
      return "retired: the contract has it no more";
    case State.STATE_UNSPECIFIED:
    case State.UNRECOGNIZED:
      return "unknown";
  }
}

/** When the next run is started. */
export function nextText(schedule: Schedule | undefined, nowMs: number): string {
  if (schedule?.state === State.PAUSED) return "it is paused: `sidestep schedule resume` lets it begin";
  if (schedule?.nextAt === undefined) return "no run is started by itself";
  return `the first run is started at ${timeText(schedule.nextAt)}, ${relativeText(schedule.nextAt, nowMs)}`;
}

/** A schedule for people; `request` is that of each run, as JSON, or empty. */
export function scheduleText({ schedule, next }: DescribeScheduleResponse, request: string, nowMs: number): string {
  if (schedule === undefined) return "";
  const parts = [
    listText([
      ["schedule", schedule.scheduleId],
      ["workflow", schedule.workflow],
      [
        "made by",
        schedule.trigger === "" ? schedule.actor || "request" : `trigger ${schedule.trigger} of the contract`,
      ],
      ["times", timesText(schedule)],
      ["state", stateText(schedule)],
      ["overlap", overlapText(schedule.cron)],
      ["catch-up", schedule.cron?.catchUp ?? ""],
      ["jitter", schedule.cron?.jitter ?? ""],
      ["created", timeText(schedule.createdAt)],
      ["current run", schedule.currentRunId],
      ["buffered", schedule.buffered === undefined ? "" : `${timeText(schedule.buffered)}, until the current run ends`],
      ["backfills", schedule.backfills === 0 ? "" : `${schedule.backfills} under way`],
      ["counts", countsText(schedule)],
    ]),
  ];
  if (request !== "") parts.push(`request\n${request}\n`);
  if (next.length > 0) {
    const rows = next.map((time) => [timeText(time), relativeText(time, nowMs)]);
    parts.push(tableText(["NEXT", ""], rows));
  }
  if (schedule.fired.length > 0) {
    const rows = schedule.fired.map(({ nominal, kind, runId, note }) => [
      timeText(nominal),
      scheduleFired_KindToJSON(kind).toLowerCase(),
      runId,
      note,
    ]);
    parts.push(tableText(["LAST", "CAME TO", "RUN", "NOTE"], rows));
  }
  return parts.join("\n");
}

/** Those that are not 0. */
export function countsText({ started, joined, unwanted, failed, skipped, missed }: Schedule): string {
  const counts = { started, joined, unwanted, failed, skipped, missed };
  const told = Object.entries(counts).flatMap(([name, count]) => (count === 0n ? [] : [`${count} ${name}`]));
  return told.length === 0 ? "0 started" : told.join(", ");
}

function overlapText(cron: Cron | undefined): string {
  return cron === undefined ? "" : overlap_PolicyToJSON(cron.overlap).toLowerCase().replaceAll("_", "-");
}
