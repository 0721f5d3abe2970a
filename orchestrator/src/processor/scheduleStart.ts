import { Schedule_Kind as Kind } from "../../../proto/gen/sidestep/internal/v1/schedule.ts";
import type { Schedule, Schedule_Fired as Fired } from "../../../proto/gen/sidestep/internal/v1/schedule.ts";
import type { TraceStart } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { timeOf } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { misfitOf } from "../engine/request.ts";
import { toMs } from "../engine/time.ts";
import { evaluateTrigger } from "../engine/trigger.ts";
import type { ActiveWorkflow, Front, StartRequest } from "./front.ts";
import type { Workflows } from "./ports.ts";
import { scheduleKey } from "./scheduleStore.ts";

/** What starting the runs of schedules needs. */
export interface ScheduleStartGround {
  readonly front: Pick<Front, "start" | "get">;
  readonly workflows: Pick<Workflows, "active">;
  /** Which trace shows a run that nobody has called for. */
  readonly trace: (runId: RunId) => TraceStart;
  /** How long a key is kept after its run's end, at least, where the workflow does not say; 0: for ever. */
  readonly keptMs: number;
  readonly now: () => number;
}

/** A start of a schedule. */
export interface ScheduledStart {
  readonly schedule: Schedule;
  readonly nominalMs: number;
  /** No run of it is older than this. */
  readonly notedMs: number;
  /** What makes it one run; undefined: the nominal time. */
  readonly key?: string;
}

/** What came of it; `waits`: nobody can say now, and it is to be made again. */
export type ScheduledOutcome =
  | ({ readonly kind: "come" } & { readonly come: Pick<Fired, "kind" | "runId" | "note"> })
  | { readonly kind: "waits"; readonly reason: string };

/** Keys are looked for a little shorter than they are kept: clocks differ. */
const clocksMs = 60_000;

/** Starts the run of a nominal time, or finds the one that was started for it. Doing it again is safe for as long as keys are kept. */
export async function startScheduled(
  ground: ScheduleStartGround,
  starting: ScheduledStart,
  signal: AbortSignal,
): Promise<ScheduledOutcome> {
  const { schedule, nominalMs } = starting;
  const active = await ground.workflows.active(schedule.workflow);
  if (active === undefined) return failed(`${schedule.workflow} is not deployed, or retired`);
  const keptMs = active.plan.plan.keptMs ?? ground.keptMs;
  if (keptMs > 0 && ground.now() - starting.notedMs > Math.max(keptMs - clocksMs, 1)) {
    return failed(
      "it was begun so long ago that its run, if there was one, may be deleted by now: it is not started again",
    );
  }
  const request = requestOf(active, schedule, nominalMs);
  if (request.kind === "come") return request;
  const key = starting.key ?? scheduleKey(schedule.id, nominalMs);
  const hasOwnKey = active.plan.key !== undefined;
  const asked: StartRequest = {
    active,
    request: request.request,
    metadata: new Map(),
    idempotencyKey: key,
    trace: ground.trace,
    actor: `schedule ${schedule.id}`,
    schedule: { id: schedule.id, nominalMs },
  };
  // Another version may build another request for the same nominal time: it is the same start all the same.
  const result = await ground.front.start(hasOwnKey ? asked : { ...asked, sameAs: Buffer.from(key) }, signal);
  switch (result.kind) {
    case "started":
      return come(Kind.STARTED, result.runId);
    case "joined":
    case "conflict":
      // Made before a crash; or long ago, when it is a backfill that comes to it again.
      if (!hasOwnKey) return come(timeOf(result.runId) < starting.notedMs ? Kind.JOINED : Kind.STARTED, result.runId);
      return whoseIs(ground, result.runId, schedule.id, nominalMs, result.kind);
    case "invalid":
      return failed(result.message);
    case "tooLarge":
      return failed(`the request has ${result.sizeBytes} bytes, at most ${result.limitBytes} are taken`);
    case "exhausted":
      return { kind: "waits", reason: "too many starts are under way" };
    case "unavailable":
      return { kind: "waits", reason: result.message };
  }
}

function requestOf(
  { plan }: ActiveWorkflow,
  schedule: Schedule,
  nominalMs: number,
): { readonly kind: "request"; readonly request: Uint8Array } | Extract<ScheduledOutcome, { readonly kind: "come" }> {
  if (schedule.trigger === "") {
    const misfit = misfitOf(plan, plan.plan.requestType, schedule.input);
    return misfit === undefined ? { kind: "request", request: schedule.input } : failed(misfit);
  }
  const trigger = plan.triggers.find((one) => one.trigger.name === schedule.trigger);
  if (trigger === undefined) return failed(`the version that is active has no trigger '${schedule.trigger}'`);
  const triggered = evaluateTrigger(plan, trigger, { kind: "time", nominalMs });
  switch (triggered.kind) {
    case "request":
      return triggered;
    case "unwanted":
      return { kind: "come", come: { kind: Kind.UNWANTED, runId: "", note: "" } };
    case "failed":
      return failed(triggered.message);
  }
}

/** The workflow's own key names a run: that of this very start, made before a crash, or somebody else's. */
async function whoseIs(
  { front }: ScheduleStartGround,
  runId: RunId,
  id: string,
  nominalMs: number,
  kind: "joined" | "conflict",
): Promise<ScheduledOutcome> {
  const found = await front.get(runId);
  if (found.kind === "unavailable") return { kind: "waits", reason: found.message };
  if (found.kind === "run") {
    const { scheduleId, scheduledFor } = found.run;
    if (scheduleId === id && scheduledFor !== undefined && toMs(scheduledFor) === nominalMs)
      return come(Kind.STARTED, runId);
  }
  if (kind === "joined") return come(Kind.JOINED, runId);
  return failed(`the run ${runId} has the same key and another request`);
}

function come(kind: Kind, runId: string): ScheduledOutcome {
  return { kind: "come", come: { kind, runId, note: "" } };
}

function failed(note: string): Extract<ScheduledOutcome, { readonly kind: "come" }> {
  return { kind: "come", come: { kind: Kind.FAILED, runId: "", note } };
}
