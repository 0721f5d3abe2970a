import { list, number, object, oneOf, text, time } from "../api/json.ts";
import type { JsonObject } from "../api/json.ts";

/** What starts runs of a workflow at nominal times. */
export interface Schedule {
  readonly id: string;
  readonly workflow: string;
  /** "30 2 * * * Europe/Berlin", "every 15m". */
  readonly times: string;
  readonly overlap: string;
  readonly state: (typeof states)[number];
  /** Trigger of the contract that makes it; empty: it was made by request. */
  readonly trigger: string;
  readonly pausedBy: string;
  readonly pauseReason: string;
  readonly pausedAt: number | undefined;
  readonly nextAt: number | undefined;
  /** What came of the last nominal times, newest first. */
  readonly fired: readonly Fired[];
  /** By what came of nominal times, those that are not 0. */
  readonly counts: readonly (readonly [name: string, count: number])[];
}

/** What came of a nominal time. */
export interface Fired {
  readonly nominal: number | undefined;
  readonly kind: (typeof kinds)[number];
  /** Empty: no run. */
  readonly runId: string;
  readonly note: string;
}

const states = ["STATE_UNSPECIFIED", "ACTIVE", "PAUSED", "RETIRED"] as const;
const kinds = ["KIND_UNSPECIFIED", "STARTED", "JOINED", "UNWANTED", "FAILED", "SKIPPED", "MISSED"] as const;
const counters = ["started", "joined", "unwanted", "failed", "skipped", "missed"];

/** The answer of Schedules.List. */
export function toSchedules(answer: JsonObject): readonly Schedule[] {
  return list(answer, "schedules", (one) => {
    const cron = object(one["cron"]);
    return {
      id: text(one, "scheduleId"),
      workflow: text(one, "workflow"),
      times: timesOf(cron),
      overlap: text(cron, "overlap").toLowerCase().replaceAll("_", " "),
      state: oneOf(one, "state", states, "STATE_UNSPECIFIED"),
      trigger: text(one, "trigger"),
      pausedBy: text(one, "pausedBy"),
      pauseReason: text(one, "pauseReason"),
      pausedAt: time(one, "pausedAt"),
      nextAt: time(one, "nextAt"),
      fired: list(one, "fired", (it) => ({
        nominal: time(it, "nominal"),
        kind: oneOf(it, "kind", kinds, "KIND_UNSPECIFIED"),
        runId: text(it, "runId"),
        note: text(it, "note"),
      })),
      counts: counters.flatMap((name) => (number(one, name) === 0 ? [] : [[name, number(one, name)] as const])),
    };
  });
}

function timesOf(cron: JsonObject): string {
  const every = text(cron, "every");
  if (every === "") return `${text(cron, "line")} ${text(cron, "timeZone")}`;
  const phase = text(cron, "phase");
  return `every ${every}${phase === "" ? "" : `, put off by ${phase}`}`;
}
