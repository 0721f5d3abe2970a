import type {
  Schedule,
  Schedule_Counts as Counts,
  Schedule_Fired as Fired,
} from "../../../../proto/gen/sidestep/internal/v1/schedule.ts";
import { Schedule_Kind as Kind } from "../../../../proto/gen/sidestep/internal/v1/schedule.ts";

const keptMax = 10;
const noteMax = 500;

const counters: Readonly<Record<Exclude<Kind, typeof Kind.UNRECOGNIZED>, Exclude<keyof Counts, "_unknownFields">>> = {
  [Kind.STARTED]: "started",
  [Kind.JOINED]: "joined",
  [Kind.UNWANTED]: "unwanted",
  [Kind.FAILED]: "failed",
  [Kind.SKIPPED]: "skipped",
  [Kind.MISSED]: "missed",
};

/** Keeps and counts what came of a nominal time, or of `count` of them. */
export function noteFired(schedule: Schedule, fired: Fired, count = 1): Schedule {
  const kept = [...schedule.fired, { ...fired, note: fired.note.slice(0, noteMax) }].slice(-keptMax);
  const counts = schedule.counts ?? noCounts;
  if (fired.kind === Kind.UNRECOGNIZED) return { ...schedule, fired: kept };
  const counter = counters[fired.kind];
  return { ...schedule, fired: kept, counts: { ...counts, [counter]: counts[counter] + count } };
}

/** Of a schedule that is new. */
export const noCounts: Counts = { started: 0, joined: 0, unwanted: 0, failed: 0, skipped: 0, missed: 0 };

/** The start that was noted has come to this; `runId` empty: no run. */
export function settleFiring(
  schedule: Schedule,
  come: Pick<Fired, "kind" | "runId" | "note">,
  nowMs: number,
): Schedule {
  const { firing } = schedule;
  if (firing === undefined) return schedule;
  const fired = { ...come, nominalMs: firing.nominalMs, atMs: nowMs };
  const settled = { ...noteFired(schedule, fired), firing: undefined };
  return come.runId === "" || firing.backfill ? settled : { ...settled, currentRunId: come.runId };
}
