import type { Metadata } from "@grpc/grpc-js";
import type { TriggersServer } from "../../../proto/gen/sidestep/v1/triggers.ts";
import { code } from "../../../proto/wire/status.ts";
import type { ShownTrigger, TriggerRefusal, Triggers, WhichParked } from "../processor/triggers.ts";
import { actorOf } from "./access.ts";
import type { Failure } from "./failure.ts";
import { tooLong } from "./lengths.ts";
import { toPublicParked, toPublicTrigger, toRetried } from "./publicTrigger.ts";
import { done, failed, unary } from "./unary.ts";
import type { Answered } from "./unary.ts";

const retryTimeoutMs = 20_000;
const pageDefault = 20;
const pageMax = 100;
/** Ids that one request may name. */
const idsMax = 1_000;

/** sidestep.v1.Triggers. */
export function triggersService(triggers: Triggers): TriggersServer {
  const answer = (result: ({ readonly kind: "shown" } & ShownTrigger) | TriggerRefusal, id: string) =>
    result.kind === "shown" ? done({ trigger: toPublicTrigger(result) }) : failed(refusal(id, result));
  return {
    list: unary(async () => {
      const result = await triggers.list();
      return result.kind === "list"
        ? done({ triggers: result.triggers.map(toPublicTrigger) })
        : failed(refusal("", result));
    }),
    describe: unary(async ({ request: { triggerId } }) => answer(await triggers.describe(triggerId), triggerId)),
    pause: unary(({ request: { triggerId, reason }, metadata }) =>
      change(reason, metadata, async (asked) => answer(await triggers.pause(triggerId, asked), triggerId)),
    ),
    resume: unary(({ request: { triggerId, reason }, metadata }) =>
      change(reason, metadata, async () => answer(await triggers.resume(triggerId), triggerId)),
    ),
    listParked: unary(async ({ request: { triggerId, pageSize, pageToken } }) => {
      const after = pageToken === "" ? 0 : Number(pageToken);
      if (!Number.isSafeInteger(after) || after < 0) return failed(wrongToken);
      const limit = Math.min(pageMax, pageSize === 0 ? pageDefault : pageSize);
      const result = await triggers.parked(triggerId, after, limit);
      if (result.kind !== "parked") return failed(refusal(triggerId, result));
      const nextPageToken = result.next === undefined ? "" : String(result.next);
      return done({ events: result.parked.map(toPublicParked), nextPageToken });
    }),
    retryParked: unary(({ request: { triggerId, parkedIds, reason }, metadata }) =>
      change(reason, metadata, async () => {
        const which = whichOf(parkedIds);
        if (which === undefined) return failed(tooMany);
        const result = await triggers.retry(triggerId, which, AbortSignal.timeout(retryTimeoutMs));
        if (result.kind !== "retried") return failed(refusal(triggerId, result));
        return done({ events: result.retried.map(toRetried), more: result.more });
      }),
    ),
    dropParked: unary(({ request: { triggerId, parkedIds, reason }, metadata }) =>
      change(reason, metadata, async () => {
        const which = whichOf(parkedIds);
        if (which === undefined) return failed(tooMany);
        const result = await triggers.drop(triggerId, which);
        return result.kind === "dropped" ? done({ dropped: result.count }) : failed(refusal(triggerId, result));
      }),
    ),
    delete: unary(({ request: { triggerId, reason }, metadata }) =>
      change(reason, metadata, async () => {
        const result = await triggers.remove(triggerId);
        return result.kind === "removed" ? done({}) : failed(refusal(triggerId, result));
      }),
    ),
  };
}

function whichOf(ids: readonly string[]): WhichParked | undefined {
  if (ids.length === 0) return { kind: "all" };
  return ids.length <= idsMax ? { kind: "ids", ids } : undefined;
}

async function change<T>(
  reason: string,
  metadata: Metadata,
  how: (asked: { readonly actor: string; readonly reason: string }) => Promise<Answered<T>>,
): Promise<Answered<T>> {
  const long = tooLong({ reason });
  return long === undefined ? how({ actor: actorOf(metadata), reason }) : failed(long);
}

const wrongToken: Failure = {
  code: code.INVALID_ARGUMENT,
  message: "page_token is none that was given out",
  reason: "INVALID_PAGE_TOKEN",
};

const tooMany: Failure = {
  code: code.INVALID_ARGUMENT,
  message: `more than ${idsMax} ids are named: name fewer, or none for all`,
  reason: "TOO_LONG",
  metadata: { limit: "parked_ids", max: String(idsMax) },
};

function refusal(id: string, result: TriggerRefusal): Failure {
  const name = JSON.stringify(id.slice(0, 200));
  switch (result.kind) {
    case "unknown":
      return { code: code.NOT_FOUND, message: `there is no trigger ${name}`, reason: "TRIGGER_NOT_FOUND" };
    case "active": {
      const message = `the contract has the trigger ${name}: pause it, or take it out of the workflow`;
      return { code: code.FAILED_PRECONDITION, message, reason: "TRIGGER_OF_CONTRACT" };
    }
    case "unavailable": {
      const message = `the trigger can't be read or changed now: ${result.message}`;
      return { code: code.UNAVAILABLE, message, reason: "LOG_UNAVAILABLE" };
    }
  }
}
