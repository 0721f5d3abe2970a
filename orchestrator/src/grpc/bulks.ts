import { createHash, randomBytes } from "node:crypto";
import type { Metadata } from "@grpc/grpc-js";
import type { Bulk as Kept, BulkTarget } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import { Bulk_State, bulkAction_KindFromJSON, BulkAction_Kind as Kind } from "../../../proto/gen/sidestep/v1/runs.ts";
import type {
  Bulk,
  BulkAction,
  ListBulksResponse,
  PreviewBulkRequest,
  PreviewBulkResponse,
  StartBulkRequest,
} from "../../../proto/gen/sidestep/v1/runs.ts";
import { idempotencyKeyHeader } from "../../../proto/wire/headers.ts";
import { toHex } from "../../../proto/wire/runId.ts";
import { code } from "../../../proto/wire/status.ts";
import { errorText } from "../../../runtime/src/log.ts";
import type { RunFilter } from "../compile/filter/runFilter.ts";
import type { BulkStore } from "../processor/bulks.ts";
import type { Definitions } from "../processor/definitions.ts";
import type { RunCount } from "../processor/runStore.ts";
import { actorOf, mayDecideAs } from "./access.ts";
import { tooLarge } from "./failure.ts";
import type { Failure } from "./failure.ts";
import { tooLong } from "./lengths.ts";
import { asked, lagOf, toListedRun } from "./listing.ts";
import type { ListsOptions, RunLists } from "./listing.ts";
import { notYourName } from "./runFailure.ts";
import { header } from "./starting.ts";
import { toTimestamp } from "./time.ts";
import { done, failed } from "./unary.ts";
import type { Answered } from "./unary.ts";

export interface BulksOptions extends ListsOptions {
  readonly bulks: BulkStore;
  readonly payloadBytesMax: number;
}

/** Where it is known which versions are active. */
interface Deployed {
  readonly definitions: Pick<Definitions, "get">;
}

const rateDefault = 100;
const rateMax = 1_000;
const goingMax = 10;
const shownMax = 10;
/** The record of all bulks is one message; results and payloads are small. */
const resultBytesMax = 8_192;
/** Workflows of one action whose versions are kept. */
const targetsMax = 64;

/** What an action on many runs would meet. */
export async function previewBulk(
  { filter, action }: PreviewBulkRequest,
  options: BulksOptions,
  nowMs: number,
): Promise<Answered<PreviewBulkResponse>> {
  const wrong = wrongAction(filter, action, options);
  if (wrong !== undefined) return failed(wrong);
  return asked(options.lists, filter, nowMs, async (lists, found) => {
    const meant = fitting(lists, found, action?.kind ?? Kind.KIND_UNSPECIFIED);
    const first = await lists.store.list({ filter: meant, after: undefined, limit: shownMax });
    return {
      found: BigInt(await countOf(lists, found)),
      runs: BigInt(await countOf(lists, meant)),
      first: first.map(toListedRun),
      lag: lagOf(lists),
    };
  });
}

/** Begins one. */
export async function startBulk(
  { filter, action, rate }: StartBulkRequest,
  { metadata, actor }: { readonly metadata: Metadata; readonly actor: string },
  options: BulksOptions & Deployed,
  nowMs: number,
): Promise<Answered<{ readonly bulk: Bulk }>> {
  const key = header(metadata, idempotencyKeyHeader);
  const wrong =
    wrongAction(filter, action, options) ??
    (rate > rateMax ? invalidBulk(`its rate is ${rate} runs a second, at most ${rateMax} are taken`) : undefined) ??
    tooLong({ key: key ?? "" }) ??
    wrongName(action, metadata);
  if (wrong !== undefined) return failed(wrong);
  const {
    kind = Kind.KIND_UNSPECIFIED,
    reason = "",
    result = none,
    payload = none,
    name = "",
    toVersion = 0,
    dropSignals = false,
    by = "",
  } = action ?? {};
  const isPinned = kind === Kind.MIGRATE && toVersion === 0;
  const counted = await asked(options.lists, filter, nowMs, async (lists, found) => {
    const counts = await lists.store.count(fitting(lists, found, kind));
    return { runs: sumOf(counts), target: isPinned ? targetsOf(counts, options) : [] };
  });
  if (counted.kind === "failure") return counted;
  const { runs, target } = counted.answer;
  if (target.length > targetsMax)
    return failed(invalidBulk(`its runs are of more than ${targetsMax} workflows: take fewer at a time`));
  const bulk: Kept = {
    ...blank,
    id: key === undefined ? toHex(randomBytes(16)) : createHash("sha256").update(key).digest("hex").slice(0, 32),
    filter,
    action: kind,
    reason,
    result,
    payload,
    name,
    toVersion,
    dropSignals,
    by,
    target,
    actor,
    rate: rate === 0 ? rateDefault : rate,
    startedMs: nowMs,
    runs,
  };
  let stands = bulk;
  let isFull = false;
  const changed = await change(options, (bulks) => {
    const same = bulks.find(({ id }) => id === bulk.id);
    stands = same ?? bulk;
    isFull = same === undefined && bulks.filter(({ endedMs }) => endedMs === 0).length >= goingMax;
    return isFull || same !== undefined ? undefined : [...bulks, bulk];
  });
  if (changed !== undefined) return failed(changed);
  return isFull ? failed(bulkLimit) : done({ bulk: toPublic(stands) });
}

/** One, as far as it is. */
export async function getBulk(bulkId: string, options: BulksOptions): Promise<Answered<{ readonly bulk: Bulk }>> {
  const all = await list(options);
  if (all.kind === "failure") return all;
  const found = all.answer.find(({ id }) => id === bulkId);
  return found === undefined ? failed(bulkNotFound(bulkId)) : done({ bulk: toPublic(found) });
}

/** All that are known, newest first. */
export async function listBulks(options: BulksOptions): Promise<Answered<ListBulksResponse>> {
  const all = await list(options);
  return all.kind === "failure" ? all : done({ bulks: all.answer.map(toPublic).toReversed() });
}

/** Ends one. */
export async function stopBulk(
  bulkId: string,
  options: BulksOptions,
  nowMs: number,
): Promise<Answered<{ readonly bulk: Bulk }>> {
  let found: Kept | undefined;
  const changed = await change(options, (bulks) => {
    found = bulks.find(({ id }) => id === bulkId);
    if (found === undefined || found.endedMs > 0) return undefined;
    const stopped = { ...found, endedMs: nowMs, stopped: true };
    found = stopped;
    return bulks.map((one) => (one.id === bulkId ? stopped : one));
  });
  if (changed !== undefined) return failed(changed);
  return found === undefined ? failed(bulkNotFound(bulkId)) : done({ bulk: toPublic(found) });
}

const none = new Uint8Array();
const blank: Kept = {
  id: "",
  filter: "",
  action: 0,
  reason: "",
  result: none,
  payload: none,
  name: "",
  toVersion: 0,
  dropSignals: false,
  by: "",
  target: [],
  actor: "",
  rate: 0,
  startedMs: 0,
  endedMs: 0,
  stopped: false,
  runs: 0,
  done: 0,
  refused: 0,
  refusal: [],
  cursorRunId: "",
  cursorStartedMs: 0,
  pendingRunId: [],
};

function fitting(lists: RunLists, filter: RunFilter, action: Kind): RunFilter {
  return { kind: "all", of: [filter, lists.fitting(action)] };
}

async function countOf({ store }: RunLists, filter: RunFilter): Promise<number> {
  return sumOf(await store.count(filter));
}

function sumOf(counts: readonly RunCount[]): number {
  return counts.reduce((sum, { runs }) => sum + runs, 0);
}

/** The versions that are active now, of the workflows whose runs are meant: a deploy in the midst of it changes nothing. */
function targetsOf(counts: readonly RunCount[], { definitions }: Deployed): BulkTarget[] {
  const workflows = new Set(counts.map(({ workflow }) => workflow));
  return [...workflows].flatMap((workflow) => {
    const version = definitions.get(workflow)?.activeVersion ?? 0;
    return version === 0 ? [] : [{ workflow, version }];
  });
}

function wrongAction(
  filter: string,
  action: BulkAction | undefined,
  { payloadBytesMax }: BulksOptions,
): Failure | undefined {
  if (action === undefined || action.kind === Kind.KIND_UNSPECIFIED || action.kind === Kind.UNRECOGNIZED)
    return invalidBulk("it has no action that is known");
  if (filter.trim() === "") return invalidBulk("it has no filter; what is meant for all runs says so: started < now");
  const max = Math.min(payloadBytesMax, resultBytesMax);
  const { kind, name, reason, by } = action;
  const size = Math.max(action.result.length, action.payload.length);
  if (size > max) return tooLarge(size, max);
  if (name === "" && kind === Kind.SIGNAL) return invalidBulk("it does not name the signal");
  if (name === "" && kind === Kind.RERUN) return invalidBulk("it does not name the step to go on from");
  return tooLong({ reason, "step path": name, by });
}

/** Nobody decides in another's name unasked. */
function wrongName(action: BulkAction | undefined, metadata: Metadata): Failure | undefined {
  const by = action?.by ?? "";
  return by === "" || mayDecideAs(by, metadata) ? undefined : notYourName(undefined, by, actorOf(metadata));
}

async function list({ bulks }: BulksOptions): Promise<Answered<readonly Kept[]>> {
  try {
    return done(await bulks.list());
  } catch (error) {
    return failed(unavailable(errorText(error)));
  }
}

async function change({ bulks }: BulksOptions, how: Parameters<BulkStore["change"]>[0]): Promise<Failure | undefined> {
  try {
    const isChanged = await bulks.change(how);
    return isChanged ? undefined : unavailable("others change the record all the time");
  } catch (error) {
    return unavailable(errorText(error));
  }
}

function unavailable(message: string): Failure {
  return {
    code: code.UNAVAILABLE,
    message: `actions on many runs can't be read or written now: ${message}`,
    reason: "LOG_UNAVAILABLE",
  };
}

function invalidBulk(message: string): Failure {
  return {
    code: code.INVALID_ARGUMENT,
    message: `the action on many runs is none: ${message}`,
    reason: "INVALID_BULK",
  };
}

const bulkLimit: Failure = {
  code: code.RESOURCE_EXHAUSTED,
  message: `${goingMax} actions on many runs go on already; wait for one, or stop it`,
  reason: "BULK_LIMIT",
  metadata: { limit: "bulks", max: String(goingMax) },
};

function bulkNotFound(bulkId: string): Failure {
  const message = `no action on many runs has the id ${JSON.stringify(bulkId.slice(0, 100))}, or it ended long ago`;
  return { code: code.NOT_FOUND, message, reason: "BULK_NOT_FOUND" };
}

function toPublic(bulk: Kept): Bulk {
  const { id, filter, action, reason, result, payload, name, actor, rate, startedMs, endedMs, stopped, runs, refusal } =
    bulk;
  return {
    bulkId: id,
    filter,
    action: {
      kind: bulkAction_KindFromJSON(action),
      reason,
      result: Buffer.from(result),
      payload: Buffer.from(payload),
      name,
      toVersion: bulk.toVersion,
      dropSignals: bulk.dropSignals,
      by: bulk.by,
    },
    rate,
    toVersions: Object.fromEntries(bulk.target.map((one) => [one.workflow, one.version])),
    state: stopped ? Bulk_State.STOPPED : endedMs > 0 ? Bulk_State.COMPLETED : Bulk_State.RUNNING,
    actor,
    startedAt: toTimestamp(startedMs),
    endedAt: endedMs === 0 ? undefined : toTimestamp(endedMs),
    runs: BigInt(runs),
    done: BigInt(bulk.done),
    refused: BigInt(bulk.refused),
    refusals: refusal
      .toSorted((a, b) => b.runs - a.runs)
      .map((one) => ({ reason: one.reason, runs: BigInt(one.runs), message: one.message, runId: one.runId })),
  };
}
