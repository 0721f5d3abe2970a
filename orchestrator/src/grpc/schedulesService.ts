import type { Metadata } from "@grpc/grpc-js";
import type { SchedulesServer } from "../../../proto/gen/sidestep/v1/schedules.ts";
import { idempotencyKeyHeader } from "../../../proto/wire/headers.ts";
import { code } from "../../../proto/wire/status.ts";
import type { Definitions } from "../processor/definitions.ts";
import type { ScheduleRefusal, Schedules, ShownSchedule } from "../processor/schedules.ts";
import { actorOf } from "./access.ts";
import { workflowNotFound } from "./failure.ts";
import type { Failure } from "./failure.ts";
import { tooLong } from "./lengths.ts";
import { toPublicSchedule } from "./publicSchedule.ts";
import { header } from "./starting.ts";
import { toTimestamp } from "./time.ts";
import { done, failed, unary } from "./unary.ts";
import type { Answered } from "./unary.ts";

/** What sidestep.v1.Schedules needs. */
export interface SchedulesOptions {
  readonly schedules: Schedules;
  readonly definitions: Pick<Definitions, "get">;
}

const triggerTimeoutMs = 10_000;

/** sidestep.v1.Schedules. */
export function schedulesService({ schedules, definitions }: SchedulesOptions): SchedulesServer {
  const toPublic = (shown: ShownSchedule) =>
    toPublicSchedule(shown, definitions.get(shown.schedule.workflow)?.requestType ?? "");
  const answer = (result: ({ readonly kind: "shown" } & ShownSchedule) | ScheduleRefusal, id: string) =>
    result.kind === "shown" ? done({ schedule: toPublic(result) }) : failed(refusal(id, result));
  return {
    create: unary(async ({ request, metadata }) => {
      const { scheduleId: id, workflow, cron, input, paused: isPaused, reason } = request;
      const long = tooLong({ reason });
      if (long !== undefined) return failed(long);
      const asked = { id, workflow, cron, input, isPaused, reason, actor: actorOf(metadata) };
      const result = await schedules.create(asked);
      return result.kind === "unknownWorkflow" ? failed(workflowNotFound(workflow)) : answer(result, id);
    }),
    list: unary(async () => {
      const result = await schedules.list();
      return result.kind === "list" ? done({ schedules: result.schedules.map(toPublic) }) : failed(refusal("", result));
    }),
    describe: unary(async ({ request: { scheduleId } }) => {
      const result = await schedules.describe(scheduleId);
      if (result.kind !== "shown") return failed(refusal(scheduleId, result));
      return done({ schedule: toPublic(result), next: result.nextMs.map(toTimestamp) });
    }),
    pause: unary(({ request: { scheduleId, reason }, metadata }) =>
      change(reason, metadata, async (asked) => answer(await schedules.pause(scheduleId, asked), scheduleId)),
    ),
    resume: unary(({ request: { scheduleId, reason }, metadata }) =>
      change(reason, metadata, async (asked) => answer(await schedules.resume(scheduleId, asked), scheduleId)),
    ),
    trigger: unary(({ request: { scheduleId, reason }, metadata }) =>
      change(reason, metadata, async () => {
        const key = header(metadata, idempotencyKeyHeader);
        const long = tooLong({ key: key ?? "" });
        if (long !== undefined) return failed(long);
        const result = await schedules.trigger(scheduleId, key, AbortSignal.timeout(triggerTimeoutMs));
        return result.kind === "triggered" ? done({ runId: result.runId }) : failed(refusal(scheduleId, result));
      }),
    ),
    backfill: unary(({ request: { scheduleId, from, to, reason }, metadata }) =>
      change(reason, metadata, async () => {
        const result = await schedules.backfill(scheduleId, msOf(from), msOf(to));
        return result.kind === "backfilling" ? done({ times: result.times }) : failed(refusal(scheduleId, result));
      }),
    ),
    delete: unary(({ request: { scheduleId, reason }, metadata }) =>
      change(reason, metadata, async () => {
        const result = await schedules.remove(scheduleId);
        return result.kind === "removed" ? done({}) : failed(refusal(scheduleId, result));
      }),
    ),
  };
}

async function change<T>(
  reason: string,
  metadata: Metadata,
  how: (asked: { readonly actor: string; readonly reason: string }) => Promise<Answered<T>>,
): Promise<Answered<T>> {
  const long = tooLong({ reason });
  return long === undefined ? how({ actor: actorOf(metadata), reason }) : failed(long);
}

/** Not a number: it was left out. */
function msOf(time: { readonly seconds: bigint; readonly nanos: number } | undefined): number {
  return time === undefined ? Number.NaN : Number(time.seconds) * 1_000 + Math.floor(time.nanos / 1_000_000);
}

function refusal(id: string, result: ScheduleRefusal): Failure {
  const name = JSON.stringify(id.slice(0, 200));
  switch (result.kind) {
    case "unknown":
      return { code: code.NOT_FOUND, message: `there is no schedule ${name}`, reason: "SCHEDULE_NOT_FOUND" };
    case "invalid": {
      const message = `the schedule can't be: ${result.message}; ${result.hint}`;
      return { code: code.INVALID_ARGUMENT, message, reason: "INVALID_SCHEDULE" };
    }
    case "exists": {
      const message = `there is a schedule ${name} already, and it says something else`;
      return { code: code.ALREADY_EXISTS, message, reason: "SCHEDULE_EXISTS" };
    }
    case "unknownWorkflow":
      return workflowNotFound(id);
    case "ofContract": {
      const message = `the contract makes the schedule ${name}: pause it, or take the trigger out of the workflow`;
      return { code: code.FAILED_PRECONDITION, message, reason: "SCHEDULE_OF_CONTRACT" };
    }
    case "backfills": {
      const message = `${result.max} spans of ${name} are being made up for already; wait for one`;
      const metadata = { limit: "backfills", max: String(result.max) };
      return { code: code.RESOURCE_EXHAUSTED, message, reason: "BACKFILL_LIMIT", metadata };
    }
    case "notStarted":
      return {
        code: code.FAILED_PRECONDITION,
        message: `nothing was started: ${result.message}`,
        reason: "NOT_STARTED",
      };
    case "unavailable": {
      const message = `the schedule can't be read or changed now: ${result.message}`;
      return { code: code.UNAVAILABLE, message, reason: "LOG_UNAVAILABLE" };
    }
  }
}
