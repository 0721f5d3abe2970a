import { Metadata } from "@grpc/grpc-js";
import type { Bulk } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import { BulkAction_Kind as Kind, bulkAction_KindFromJSON } from "../../../proto/gen/sidestep/v1/runs.ts";
import { actorHeader } from "../../../proto/wire/headers.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { code } from "../../../proto/wire/status.ts";
import type { Acted } from "../processor/bulkWork.ts";
import { decide } from "./approvals.ts";
import { thrownFailure } from "./failure.ts";
import type { Failure } from "./failure.ts";
import { deleteRun } from "./deleting.ts";
import { leaveIncident } from "./incidents.ts";
import { leaveIncidents } from "./leaveIncidents.ts";
import type { RunLists } from "./listing.ts";
import { migrate } from "./migrating.ts";
import type { MigratingOptions } from "./migrating.ts";
import { rerun } from "./rerunning.ts";
import { openRunSignals } from "./signals.ts";
import type { Signals } from "./signals.ts";
import { steer } from "./steering.ts";
import type { IngressOptions } from "./starting.ts";
import { done } from "./unary.ts";
import type { Answered } from "./unary.ts";

type Front = Pick<IngressOptions, "front" | "payloadBytesMax"> &
  Pick<RunLists, "store"> &
  Pick<MigratingOptions, "definitions">;
type Ground = Front & { readonly signals: Pick<Signals, "toRun"> };

/** Acts on one run of many as the rpc of that action does. Its request's id is a function of both, so that the run takes it once. */
export function toBulkAct(options: Front): (bulk: Bulk, runId: RunId, isRepeat: boolean) => Promise<Acted> {
  const ground = { ...options, signals: openRunSignals(options) };
  return async (bulk, runId, isRepeat) => {
    try {
      const requestId = `${bulk.id}.${runId}`;
      if (isRepeat) {
        const fate = await ground.front.fateOf(runId, requestId);
        if (fate.kind === "unavailable") return unanswered("LOG_UNAVAILABLE", fate.message);
        if (fate.taken.includes(requestId)) return { kind: "done" };
      }
      const answered = await actOn(ground, bulk, runId, requestId);
      // What it was asked for the first time is done.
      if (isRepeat && isGone(bulk, answered)) return { kind: "done" };
      return answered.kind === "answer" ? { kind: "done" } : toActed(answered.failure);
    } catch (error) {
      return toActed(thrownFailure(error));
    }
  };
}

function isGone({ action }: Bulk, answered: Answered<object>): boolean {
  return action === Kind.DELETE && answered.kind === "failure" && answered.failure.reason === "RUN_NOT_FOUND";
}

async function actOn(ground: Ground, bulk: Bulk, runId: RunId, requestId: string): Promise<Answered<object>> {
  const { reason, actor, result, payload, name } = bulk;
  const event = { reason, actor, requestId };
  const kind = bulkAction_KindFromJSON(bulk.action);
  switch (kind) {
    case Kind.CANCEL:
      return steer(runId, { kind: "cancel", event }, ground);
    case Kind.TERMINATE:
      return steer(runId, { kind: "terminate", event }, ground);
    case Kind.PAUSE:
      return steer(runId, { kind: "pause", event }, ground);
    case Kind.RESUME:
      return steer(runId, { kind: "resume", event }, ground);
    case Kind.DELETE:
      return deleteRun(runId, event, ground);
    case Kind.RETRY:
      return leaveIncidents({ kind: "retry" }, runId, event, ground);
    case Kind.FAIL:
      return leaveIncidents({ kind: "fail" }, runId, event, ground);
    case Kind.COMPENSATE:
      return leaveIncidents({ kind: "compensate" }, runId, event, ground);
    case Kind.SKIP:
      return leaveIncidents({ kind: "skip", result }, runId, event, ground);
    case Kind.PATCH:
      return leaveIncident({ kind: "patch", request: payload }, runId, { ...event, step: name }, ground);
    case Kind.SIGNAL:
      return toObject(await ground.signals.toRun(runId, { name, payload, type: undefined, id: requestId, actor }));
    case Kind.APPROVE:
    case Kind.REJECT: {
      // Whether whoever began it may decide in that name has been asked when it began.
      const metadata = new Metadata();
      if (actor !== "") metadata.set(actorHeader, actor);
      const decision = {
        runId,
        step: name,
        approved: kind === Kind.APPROVE,
        form: payload,
        by: bulk.by,
        comment: reason,
      };
      return decide(runId, decision, metadata, requestId, ground);
    }
    case Kind.RERUN:
      return rerun(runId, { runId, step: name, reason }, { requestId, actor }, ground);
    case Kind.MIGRATE: {
      const { toVersion, target, dropSignals } = bulk;
      const pinned = (workflow: string): number => target.find((one) => one.workflow === workflow)?.version ?? 0;
      const toVersionOf = toVersion === 0 ? pinned : () => toVersion;
      return migrate(runId, { toVersionOf, reason, dropSignals }, { requestId, actor }, ground);
    }
    case Kind.KIND_UNSPECIFIED:
    case Kind.UNRECOGNIZED:
      throw new Error(`this version knows no action ${bulk.action}`);
  }
}

function toObject(signalled: Answered<RunId>): Answered<object> {
  return signalled.kind === "answer" ? done({}) : signalled;
}

function toActed({ code: number, reason, message }: Failure): Acted {
  if (number === code.UNAVAILABLE || number === code.INTERNAL || reason === "BACKLOG")
    return unanswered(reason, message);
  return { kind: "refused", reason, message };
}

function unanswered(reason: string, message: string): Acted {
  return { kind: "unanswered", reason, message };
}
