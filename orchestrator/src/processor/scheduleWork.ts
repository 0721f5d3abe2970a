import { Schedule_Kind as Kind } from "../../../proto/gen/sidestep/internal/v1/schedule.ts";
import type { Schedule } from "../../../proto/gen/sidestep/internal/v1/schedule.ts";
import { parseRunId } from "../../../proto/wire/runId.ts";
import { openGate } from "../../../runtime/src/gate.ts";
import type { Gate } from "../../../runtime/src/gate.ts";
import { errorText } from "../../../runtime/src/log.ts";
import type { Log } from "../../../runtime/src/log.ts";
import { growingPause, pause } from "../../../runtime/src/pause.ts";
import { putOffMs } from "../engine/schedule/jitter.ts";
import { dueMs, nextStep } from "../engine/schedule/nextStep.ts";
import type { ScheduleStep } from "../engine/schedule/nextStep.ts";
import { settleFiring } from "../engine/schedule/noteFired.ts";
import { openDeadlines } from "./deadlines.ts";
import type { Deadlines } from "./deadlines.ts";
import type { Front } from "./front.ts";
import { partitionOfSchedule, scheduleKey } from "./scheduleStore.ts";
import type { KeptSchedule, ScheduleStore } from "./scheduleStore.ts";
import type { ScheduledOutcome, ScheduledStart } from "./scheduleStart.ts";

/** Told of what came of nominal times, once it has been noted. */
export interface ScheduleObserver {
  /** `lateMs` after the time at which it was due, jitter in it. */
  started(schedule: Schedule, lateMs: number): void;
  passed(schedule: Schedule, kind: Exclude<Kind, typeof Kind.STARTED>, count: number): void;
}

export interface ScheduleWorkOptions {
  readonly store: ScheduleStore;
  /** Partitions that are ours now; a schedule that two work on does no harm. */
  readonly owned: () => readonly number[];
  readonly partitions: number;
  readonly start: (starting: ScheduledStart, signal: AbortSignal) => Promise<ScheduledOutcome>;
  readonly front: Pick<Front, "look" | "wait" | "request">;
  readonly observer: ScheduleObserver;
  readonly now: () => number;
  readonly logger: Log;
}

/** It is looked for what is due this often at least, and at once when something is. */
const lookEveryMs = 1_000;
const lookAgainMs = 10;
/** Starts, and looks at runs, at one time: after an outage many are due at once. */
const startsAtOnce = 256;
const startWithinMs = 10_000;
/** The end of a run is waited for in pieces. */
const waitMaxMs = 3_600_000;

/**
 * Works on the schedules of the partitions that are ours: starts a run for each nominal time that has come. Nothing of it is remembered here, so
 * whoever owns the partition next goes on where the record stands. Disposing of it leaves everything to them.
 */
export function openScheduleWork(options: ScheduleWorkOptions): Disposable {
  const over = new AbortController();
  const { signal } = over;
  const deadline = openDeadlines(startWithinMs, signal, options.now);
  const work: Work = { ...options, signal, deadline, gate: openGate(startsAtOnce), working: new Set() };
  void lookAlways(work);
  return { [Symbol.dispose]: () => over.abort() };
}

interface Work extends ScheduleWorkOptions {
  readonly signal: AbortSignal;
  readonly deadline: Deadlines;
  readonly gate: Gate;
  /** Ids of schedules that something is being done about. */
  readonly working: Set<string>;
}

async function lookAlways(work: Work): Promise<void> {
  const { store, signal, now } = work;
  // Where a record belongs, and when it asks for something, as long as it stands.
  const due: Due = new Map();
  let woken = new AbortController();
  // With a reason: making the default one costs more than all the rest of it.
  const wake = (): void => woken.abort("woken");
  const stop = store.onChange(wake);
  signal.addEventListener("abort", wake, { once: true });
  while (!signal.aborted) {
    woken = new AbortController();
    const nextMs = look(work, due, wake);
    await pause(Math.max(lookAgainMs, nextMs - now()), woken.signal);
    // Many changes in a row are one.
    if (woken.signal.aborted) await pause(lookAgainMs, signal);
  }
  stop();
}

type Due = Map<string, { readonly partition: number; readonly revision: number; readonly atMs: number }>;

/** Begins what is due; when something may be due next. */
function look(work: Work, due: Due, ended: () => void): number {
  const { store, now, working, partitions } = work;
  const owned = new Set(work.owned());
  const all = owned.size === 0 ? [] : store.all();
  if (due.size > 2 * all.length + 1_000) due.clear();
  let nextMs = now() + lookEveryMs;
  for (const kept of all) {
    const { schedule, revision } = kept;
    const { id } = schedule;
    if (working.has(id)) continue;
    const known = due.get(id);
    const partition = known?.partition ?? partitionOfSchedule(id, partitions);
    if (!owned.has(partition)) continue;
    const isKnown = known?.revision === revision;
    const atMs = isKnown ? known.atMs : (dueMs(schedule, now()) ?? Number.MAX_VALUE);
    if (!isKnown) due.set(id, { partition, revision, atMs });
    if (atMs <= now()) beginWork(work, kept, ended);
    else nextMs = Math.min(nextMs, atMs);
  }
  return nextMs;
}

function beginWork(work: Work, kept: KeptSchedule, ended: () => void): void {
  const { id } = kept.schedule;
  work.working.add(id);
  void workOn(work, kept).finally(() => {
    work.working.delete(id);
    ended();
  });
}

/** Until it has to wait for its time, or is somebody else's. */
async function workOn(work: Work, kept: KeptSchedule): Promise<void> {
  const { store, signal, logger } = work;
  const { id } = kept.schedule;
  const partition = partitionOfSchedule(id, work.partitions);
  const isOurs = (): boolean => work.owned().includes(partition);
  let current: KeptSchedule | undefined = kept;
  let isGoingOn: boolean | undefined;
  let nextPauseMs = growingPause(50, 5_000);
  for (let told = ""; current !== undefined && !signal.aborted && isOurs();) {
    try {
      const went: Went = await takeStep(work, current, isGoingOn);
      if (went.kind === "over") return;
      if (went.kind === "again") throw new Error(went.reason);
      current = went.kind === "reread" ? await readAgain(store, id) : went.kept;
      isGoingOn = went.kind === "reread" ? undefined : went.isGoingOn;
      nextPauseMs = growingPause(50, 5_000);
      told = "";
    } catch (error) {
      const reason = errorText(error);
      if (reason !== told && !signal.aborted) logger.warn("a schedule waits", { schedule: id, error: reason });
      told = reason;
      await pause(nextPauseMs(), signal);
      current = await readAgain(store, id).catch(() => current);
    }
  }
}

/** What became of a step. */
type Went =
  | { readonly kind: "over" }
  | { readonly kind: "went"; readonly kept: KeptSchedule; readonly isGoingOn: boolean | undefined }
  /** Somebody else has changed the record, or may have. */
  | { readonly kind: "reread" }
  | { readonly kind: "again"; readonly reason: string };

async function takeStep(work: Work, kept: KeptSchedule, isGoingOn: boolean | undefined): Promise<Went> {
  const { now, gate, front } = work;
  const { schedule } = kept;
  const step: ScheduleStep = nextStep(schedule, now(), isGoingOn);
  switch (step.kind) {
    case "sleep":
      return { kind: "over" };
    case "note": {
      const went = await note(work, kept, step.schedule);
      if (went.kind === "went") tellPassed(work, schedule, went.kept.schedule);
      return went;
    }
    case "start":
      return start(work, kept);
    case "ask": {
      const runId = parseRunId(step.runId);
      const found = runId === undefined ? { kind: "unknown" as const } : await gate(() => front.look(runId));
      if (found.kind === "unavailable") return { kind: "again", reason: found.message };
      return { kind: "went", kept, isGoingOn: found.kind === "run" && found.run.endedAt === undefined };
    }
    case "wait":
      return waitFor(work, kept, step);
  }
}

async function start(work: Work, kept: KeptSchedule): Promise<Went> {
  const { schedule } = kept;
  const { firing } = schedule;
  if (firing === undefined) return { kind: "reread" };
  const { nominalMs, notedMs } = firing;
  const outcome = await work.gate(() => work.start({ schedule, nominalMs, notedMs }, work.deadline()));
  if (outcome.kind === "waits") return { kind: "again", reason: outcome.reason };
  const atMs = work.now();
  const went = await note(work, kept, settleFiring(schedule, outcome.come, atMs));
  if (went.kind !== "went") return went;
  const { come } = outcome;
  if (come.kind === Kind.STARTED) {
    if (!firing.backfill) work.observer.started(schedule, atMs - putOffMs(schedule, nominalMs));
  } else {
    work.observer.passed(schedule, come.kind, 1);
    if (come.kind === Kind.FAILED)
      work.logger.warn("a scheduled run was not started", { schedule: schedule.id, nominalMs, reason: come.note });
  }
  return went;
}

async function note(work: Work, { revision }: KeptSchedule, schedule: Schedule): Promise<Went> {
  const swapped = await work.store.write(schedule, revision);
  if (swapped.kind !== "held") return { kind: "reread" };
  return { kind: "went", kept: { schedule, revision: swapped.revision }, isGoingOn: undefined };
}

/** Cancels the run if that is wanted, and waits for its end, the next nominal time, or another record. */
async function waitFor(
  work: Work,
  kept: KeptSchedule,
  { runId: text, cancel, untilMs }: Extract<ScheduleStep, { readonly kind: "wait" }>,
): Promise<Went> {
  const { front, store, signal, now } = work;
  const runId = parseRunId(text);
  const { schedule, revision } = kept;
  if (runId === undefined) return { kind: "went", kept, isGoingOn: false };
  if (cancel) {
    const requestId = scheduleKey(schedule.id, schedule.bufferedMs ?? 0);
    const event = { reason: "the next run of its schedule is due", actor: `schedule ${schedule.id}`, requestId };
    const asked = await front.request(runId, { kind: "cancel", event }, work.deadline());
    if (asked.kind === "unavailable") return { kind: "again", reason: asked.message };
    if (asked.kind === "exhausted") return { kind: "again", reason: "too much waits to be folded" };
  }
  const changed = new AbortController();
  const stop = store.onChange(() => {
    if (store.heard(schedule.id)?.revision !== revision) changed.abort();
  });
  const until = untilMs === undefined ? [] : [AbortSignal.timeout(Math.min(waitMaxMs, Math.max(1, untilMs - now())))];
  const ended = await front.wait(runId, AbortSignal.any([signal, changed.signal, ...until]));
  stop();
  if (changed.signal.aborted) return { kind: "reread" };
  return { kind: "went", kept, isGoingOn: ended.kind === "aborted" };
}

async function readAgain(store: ScheduleStore, id: string): Promise<KeptSchedule | undefined> {
  const { schedule, revision } = await store.read(id);
  return schedule === undefined ? undefined : { schedule, revision };
}

/** What a note has left out or counted as missed. */
function tellPassed({ observer, logger }: Work, before: Schedule, after: Schedule): void {
  const missed = (after.counts?.missed ?? 0) - (before.counts?.missed ?? 0);
  const skipped = (after.counts?.skipped ?? 0) - (before.counts?.skipped ?? 0);
  if (skipped > 0) observer.passed(after, Kind.SKIPPED, skipped);
  if (missed === 0) return;
  observer.passed(after, Kind.MISSED, missed);
  logger.warn("nominal times of a schedule were missed", {
    schedule: after.id,
    missed,
    catchUpMs: after.cron?.catchUpMs,
  });
}
