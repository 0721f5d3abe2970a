import { Schedule_Kind as Kind } from "../../../proto/gen/sidestep/internal/v1/schedule.ts";
import type { Schedule } from "../../../proto/gen/sidestep/internal/v1/schedule.ts";
import type { Cron } from "../../../proto/gen/sidestep/v1/workflow.ts";
import { errorText } from "../../../runtime/src/log.ts";
import { growingPause, pause } from "../../../runtime/src/pause.ts";
import { parseCron } from "../compile/cron.ts";
import { nominalTimes } from "../engine/schedule/calendar.ts";
import { comingTimes, cronOf } from "../engine/schedule/nextStep.ts";
import { noteFired } from "../engine/schedule/noteFired.ts";
import { toTimetable } from "../engine/schedule/timetable.ts";
import { shownBytes } from "../engine/redact.ts";
import { misfitOf } from "../engine/request.ts";
import { blank, sameCron } from "./contractSchedules.ts";
import type { Workflows } from "./ports.ts";
import type { ScheduledOutcome, ScheduledStart } from "./scheduleStart.ts";
import { scheduleKey } from "./scheduleStore.ts";
import type { ScheduleStore } from "./scheduleStore.ts";

/** A schedule, and its next nominal times. */
export interface ShownSchedule {
  readonly schedule: Schedule;
  readonly nextMs: readonly number[];
}

/** Who asks for a change, and why. */
export interface ScheduleAsked {
  readonly actor: string;
  readonly reason: string;
}

/** Why something was not done; nothing was written. */
export type ScheduleRefusal =
  | { readonly kind: "unknown" }
  | { readonly kind: "invalid"; readonly message: string; readonly hint: string }
  /** Another one has the id. */
  | { readonly kind: "exists" }
  | { readonly kind: "unknownWorkflow" }
  /** The contract makes it. */
  | { readonly kind: "ofContract" }
  | { readonly kind: "backfills"; readonly max: number }
  /** Nothing was started. */
  | { readonly kind: "notStarted"; readonly message: string }
  /** Nobody can say now. */
  | { readonly kind: "unavailable"; readonly message: string };

type Shown = { readonly kind: "shown" } & ShownSchedule;

/** What people ask of schedules. Expected failures are results; asking again is safe. */
export interface Schedules {
  create(
    asked: ScheduleAsked & {
      readonly id: string;
      readonly workflow: string;
      readonly cron: Cron | undefined;
      readonly input: Uint8Array;
      readonly isPaused: boolean;
    },
  ): Promise<Shown | ScheduleRefusal>;
  /** By id. */
  list(): Promise<{ readonly kind: "list"; readonly schedules: readonly ShownSchedule[] } | ScheduleRefusal>;
  describe(id: string): Promise<Shown | ScheduleRefusal>;
  pause(id: string, asked: ScheduleAsked): Promise<Shown | ScheduleRefusal>;
  resume(id: string, asked: ScheduleAsked): Promise<Shown | ScheduleRefusal>;
  /** `requestId`: the same one starts one run; undefined: each asking is one of its own. */
  trigger(
    id: string,
    requestId: string | undefined,
    signal: AbortSignal,
  ): Promise<{ readonly kind: "triggered"; readonly runId: string } | ScheduleRefusal>;
  backfill(
    id: string,
    fromMs: number,
    untilMs: number,
  ): Promise<{ readonly kind: "backfilling"; readonly times: number } | ScheduleRefusal>;
  remove(id: string): Promise<{ readonly kind: "removed" } | ScheduleRefusal>;
}

export interface SchedulesGround {
  readonly store: ScheduleStore;
  readonly workflows: Pick<Workflows, "active">;
  readonly start: (starting: ScheduledStart, signal: AbortSignal) => Promise<ScheduledOutcome>;
  readonly now: () => number;
}

const rounds = 8;
const shownMax = 5;
const backfillsMax = 10;
const backfillTimesMax = 1_000;
const untilCompleteMs = 5_000;

/** Over the records; changes are compared and set, again and again while others change them meanwhile. */
export function toSchedules(ground: SchedulesGround): Schedules {
  const { store, now } = ground;
  return {
    create: (asked) => orUnavailable(() => create(ground, asked)),
    list: () => orUnavailable(() => listAll(ground)),
    describe: (id) =>
      orUnavailable(async () => {
        const { schedule } = await store.read(id);
        return schedule === undefined ? { kind: "unknown" } : shown(ground, schedule);
      }),
    pause: (id, { actor, reason }) => {
      const paused = { actor, reason, sinceMs: now() };
      return orUnavailable(() => change(ground, id, (schedule) => ({ ...schedule, paused })));
    },
    resume: (id) => orUnavailable(() => change(ground, id, (schedule) => resumed(schedule, now()))),
    trigger: (id, requestId, signal) => orUnavailable(() => trigger(ground, id, requestId, signal)),
    backfill: (id, fromMs, untilMs) => orUnavailable(() => backfill(ground, id, fromMs, untilMs)),
    remove: (id) => orUnavailable(() => remove(ground, id)),
  };
}

async function orUnavailable<T>(ask: () => Promise<T | ScheduleRefusal>): Promise<T | ScheduleRefusal> {
  try {
    return await ask();
  } catch (error) {
    return { kind: "unavailable", message: errorText(error) };
  }
}

/** What has passed while it was paused is not made up for. */
function resumed(schedule: Schedule, nowMs: number): Schedule {
  if (schedule.paused === undefined) return schedule;
  return { ...schedule, paused: undefined, cursorMs: Math.max(schedule.cursorMs, nowMs) };
}

async function create(
  ground: SchedulesGround,
  { id, workflow, cron, input, isPaused, actor, reason }: Parameters<Schedules["create"]>[0],
): Promise<Shown | ScheduleRefusal> {
  const { store, workflows, now } = ground;
  if (!/^[a-z0-9][a-z0-9_-]{0,99}$/.test(id)) {
    const hint = "small letters, digits, '-' and '_', beginning with a letter or digit, at most 100 characters";
    return { kind: "invalid", message: `'${id.slice(0, 100)}' can't be the id of a schedule`, hint };
  }
  if (cron === undefined) return { kind: "invalid", message: "nothing says when", hint: "give a line or an interval" };
  const parsed = parseCron(cron);
  if (parsed.kind === "wrong") {
    const [flaw] = parsed.flaws;
    return { kind: "invalid", message: flaw?.message ?? "its times are wrong", hint: flaw?.hint ?? "" };
  }
  const active = await workflows.active(workflow);
  if (active === undefined) return { kind: "unknownWorkflow" };
  const misfit = misfitOf(active.plan, active.plan.plan.requestType, input);
  if (misfit !== undefined) return { kind: "invalid", message: misfit, hint: "encode it as the rpc's request type" };
  const nowMs = now();
  const made: Schedule = {
    ...blank,
    id,
    workflow,
    cron: parsed.cron,
    input,
    actor,
    reason,
    createdMs: nowMs,
    cursorMs: nowMs,
    paused: isPaused ? { actor, reason, sinceMs: nowMs } : undefined,
  };
  const { schedule, revision } = await store.read(id);
  if (schedule !== undefined) return isSame(schedule, made) ? shown(ground, schedule) : { kind: "exists" };
  const swapped = await store.write(made, revision);
  if (swapped.kind === "held") return shown(ground, made);
  if (swapped.kind === "refused") return { kind: "exists" };
  return { kind: "unavailable", message: "the record did not become durable in time" };
}

function isSame(a: Schedule, b: Schedule): boolean {
  const isCron = a.cron !== undefined && b.cron !== undefined && sameCron(a.cron, b.cron);
  return isCron && a.workflow === b.workflow && Buffer.compare(a.input, b.input) === 0;
}

async function listAll(ground: SchedulesGround): ReturnType<Schedules["list"]> {
  const { store } = ground;
  const giveUp = AbortSignal.timeout(untilCompleteMs);
  while (!store.isComplete() && !giveUp.aborted) await pause(50, giveUp);
  if (!store.isComplete()) return { kind: "unavailable", message: "not all schedules have been heard of yet" };
  const all = store.all().map(async ({ schedule }) => ({
    schedule: await withoutRedacted(ground, schedule),
    nextMs: comingTimes(schedule, 1),
  }));
  const schedules = await Promise.all(all);
  return { kind: "list", schedules: schedules.toSorted((a, b) => (a.schedule.id < b.schedule.id ? -1 : 1)) };
}

/** `how` may refuse, and gives the very same record where nothing is to be changed. */
async function change(
  ground: SchedulesGround,
  id: string,
  how: (schedule: Schedule) => Schedule | ScheduleRefusal,
): Promise<Shown | ScheduleRefusal> {
  const { store } = ground;
  const nextPauseMs = growingPause(20, 500);
  for (let round = 0; round < rounds; round++) {
    const { schedule, revision } = await store.read(id);
    if (schedule === undefined) return { kind: "unknown" };
    const next = how(schedule);
    if ("kind" in next) return next;
    if (next === schedule) return shown(ground, schedule);
    if ((await store.write(next, revision)).kind === "held") return shown(ground, next);
    await pause(nextPauseMs());
  }
  return { kind: "unavailable", message: "others change the schedule all the time" };
}

async function trigger(
  ground: SchedulesGround,
  id: string,
  requestId: string | undefined,
  signal: AbortSignal,
): ReturnType<Schedules["trigger"]> {
  const { schedule } = await ground.store.read(id);
  if (schedule === undefined) return { kind: "unknown" };
  const nominalMs = ground.now();
  const key = requestId === undefined ? scheduleKey(id, nominalMs) : `schedule/${id}/asked/${requestId}`;
  const outcome = await ground.start({ schedule, nominalMs, notedMs: nominalMs, key }, signal);
  if (outcome.kind === "waits") return { kind: "unavailable", message: outcome.reason };
  const { come } = outcome;
  if (come.runId === "") {
    const message = come.kind === Kind.UNWANTED ? "the trigger's condition is false now" : come.note;
    return { kind: "notStarted", message };
  }
  // The run is there, whether this is noted or not.
  const fired = { ...come, nominalMs, atMs: ground.now() };
  const isNoted = (one: Schedule): boolean => one.fired.some(({ runId }) => runId === come.runId);
  await change(ground, id, (one) => (isNoted(one) ? one : { ...noteFired(one, fired), currentRunId: come.runId }));
  return { kind: "triggered", runId: come.runId };
}

async function backfill(
  ground: SchedulesGround,
  id: string,
  fromMs: number,
  untilMs: number,
): ReturnType<Schedules["backfill"]> {
  const hint = "give a span that is over: --from and --to, the end not in it";
  if (!(fromMs < untilMs) || untilMs > ground.now())
    return { kind: "invalid", message: "that is no span of the past", hint };
  let times = 0;
  const changed = await change(ground, id, (schedule) => {
    if (schedule.retired) return { kind: "notStarted", message: "the schedule is retired: its trigger is gone" };
    if (schedule.backfills.length >= backfillsMax) return { kind: "backfills", max: backfillsMax };
    times = nominalTimes(toTimetable(cronOf(schedule)), fromMs, untilMs, backfillTimesMax + 1).length;
    if (times === 0) return { kind: "invalid", message: "no nominal time is in the span", hint };
    if (times > backfillTimesMax) {
      const message = `more than ${backfillTimesMax} nominal times are in the span`;
      return { kind: "invalid", message, hint: "backfill it in pieces" };
    }
    return { ...schedule, backfills: [...schedule.backfills, { cursorMs: fromMs - 1, untilMs }] };
  });
  return changed.kind === "shown" ? { kind: "backfilling", times } : changed;
}

async function remove({ store }: SchedulesGround, id: string): ReturnType<Schedules["remove"]> {
  const nextPauseMs = growingPause(20, 500);
  for (let round = 0; round < rounds; round++) {
    const { schedule, revision } = await store.read(id);
    if (schedule === undefined) return { kind: "unknown" };
    if (schedule.trigger !== "" && !schedule.retired) return { kind: "ofContract" };
    if ((await store.remove(id, revision)).kind === "held") return { kind: "removed" };
    await pause(nextPauseMs());
  }
  return { kind: "unavailable", message: "others change the schedule all the time" };
}

async function shown(ground: SchedulesGround, schedule: Schedule): Promise<Shown> {
  return { kind: "shown", schedule: await withoutRedacted(ground, schedule), nextMs: comingTimes(schedule, shownMax) };
}

/** Its request without what is declared `debug_redact`; of a workflow that nobody knows now, nothing of it. */
async function withoutRedacted({ workflows }: SchedulesGround, schedule: Schedule): Promise<Schedule> {
  if (schedule.input.length === 0) return schedule;
  const { plan } = (await workflows.active(schedule.workflow)) ?? {};
  if (plan === undefined) return { ...schedule, input: new Uint8Array() };
  return { ...schedule, input: shownBytes(plan.registry, plan.plan.requestType, schedule.input) };
}
