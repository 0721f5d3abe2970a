import type { ArchivedRun } from "../../../proto/gen/sidestep/internal/v1/archive.ts";
import type { Run } from "../../../proto/gen/sidestep/v1/run.ts";
import type {
  CountRunsRequest,
  CountRunsResponse,
  GetIndexResponse,
  IncidentGroup,
  IndexedPartition,
  ListedRun,
  ListIncidentsRequest,
  ListIncidentsResponse,
  ListRunsRequest,
  ListRunsResponse,
} from "../../../proto/gen/sidestep/v1/runs.ts";
import { incident_ReasonFromJSON, run_StateFromJSON } from "../../../proto/gen/sidestep/v1/run.ts";
import { status_CodeFromJSON } from "../../../proto/gen/sidestep/v1/workflow.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { code } from "../../../proto/wire/status.ts";
import type { BulkAction_Kind } from "../../../proto/gen/sidestep/v1/runs.ts";
import type { ParsedFilter } from "../compile/filter/parseFilter.ts";
import type { RunFilter } from "../compile/filter/runFilter.ts";
import type { IncidentGroup as Group, RunQuery, RunStore } from "../processor/runStore.ts";
import type { RowProgress } from "../processor/rowWriting.ts";
import type { RunRow } from "../projection/runRow.ts";
import type { Failure } from "./failure.ts";
import { toDuration, toTimestamp } from "./time.ts";
import { done, failed } from "./unary.ts";
import type { Answered } from "./unary.ts";

/** What lists are made of. */
export interface RunLists {
  readonly store: RunStore;
  readonly readFilter: (source: string, nowMs: number) => ParsedFilter;
  /** The runs that an action on many may fit at all. */
  readonly fitting: (action: BulkAction_Kind) => RunFilter;
  progress(): readonly RowProgress[];
  /** Resolves when all partitions can be listed, or when they are too far behind to be waited for. */
  ready(): Promise<void>;
  /** Begins all rows anew. */
  rebuild(): Promise<void>;
  /** A run that the log has no more; undefined: neither has the archive, or there is none. */
  archived(runId: RunId): Promise<ArchivedRun | undefined>;
}

export interface ListsOptions {
  /** Undefined: the orchestrator keeps no index. */
  readonly lists: RunLists | undefined;
}

const runsDefault = 50;
const groupsDefault = 100;
const pageMax = 1_000;

/** One page of runs. */
export async function listRuns(
  { filter: source, pageSize, pageToken, skip }: ListRunsRequest,
  { lists }: ListsOptions,
): Promise<Answered<ListRunsResponse>> {
  const limit = pageSize > 0 ? Math.min(pageSize, pageMax) : runsDefault;
  const after = parseToken(pageToken);
  if (after === "wrong") return failed(invalidToken);
  return asked(lists, source, Date.now(), async (open, filter) => {
    const rows = await open.store.list({ filter, after, limit: limit + 1, skip });
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    return {
      runs: page.map(toListedRun),
      nextPageToken: rows.length > limit && last !== undefined ? `${last.startedMs}.${last.id}` : "",
      lag: lagOf(open),
    };
  });
}

/** How many runs there are. */
export function countRuns(
  { filter: source }: CountRunsRequest,
  { lists }: ListsOptions,
): Promise<Answered<CountRunsResponse>> {
  return asked(lists, source, Date.now(), async (open, filter) => {
    const counts = await open.store.count(filter);
    return {
      counts: counts.map(({ workflow, version, state, runs }) => ({
        workflow,
        version,
        state: run_StateFromJSON(state),
        runs: BigInt(runs),
      })),
      lag: lagOf(open),
    };
  });
}

/** Incidents by what they are about. */
export function listIncidents(
  { filter: source, pageSize }: ListIncidentsRequest,
  { lists }: ListsOptions,
): Promise<Answered<ListIncidentsResponse>> {
  const limit = pageSize > 0 ? Math.min(pageSize, pageMax) : groupsDefault;
  return asked(lists, source, Date.now(), async (open, filter) => ({
    groups: (await open.store.incidents(filter, limit)).map(toGroup),
    lag: lagOf(open),
  }));
}

/** What the index is, and how far it goes. */
export async function getIndex({ lists }: ListsOptions): Promise<Answered<GetIndexResponse>> {
  if (lists === undefined) return failed(indexOff);
  const { store } = lists;
  return done({ description: store.description, lag: lagOf(lists), partitions: lists.progress().map(toPartition) });
}

/** How far a partition is, on the wire. */
export function toPartition({ partition, position, head, isCatchingUp }: RowProgress): IndexedPartition {
  return { partition, position: BigInt(position ?? 0), head: BigInt(head), catchingUp: isCatchingUp };
}

/** What `read` makes of the lists and of a filter, whose `now` is `nowMs`; else why there is none. */
export async function asked<T>(
  lists: RunLists | undefined,
  source: string,
  nowMs: number,
  read: (lists: RunLists, filter: RunFilter) => Promise<T>,
): Promise<Answered<T>> {
  if (lists === undefined) return failed(indexOff);
  const filter = lists.readFilter(source, nowMs);
  if (filter.kind === "wrong") return failed(invalidFilter(source, filter));
  await lists.ready();
  return done(await read(lists, filter.filter));
}

/** No index, so no lists. */
export const indexOff: Failure = {
  code: code.FAILED_PRECONDITION,
  message: "this orchestrator keeps no index of runs (--index off)",
  reason: "INDEX_OFF",
};

const invalidToken: Failure = {
  code: code.INVALID_ARGUMENT,
  message: "page_token is none that was given out",
  reason: "INVALID_PAGE_TOKEN",
};

function invalidFilter(
  source: string,
  { message, hint, offset, length }: Extract<ParsedFilter, { kind: "wrong" }>,
): Failure {
  const near = source.slice(offset, offset + Math.min(length, 40)).trim();
  const column = String(offset + 1);
  return {
    code: code.INVALID_ARGUMENT,
    message: `the filter is wrong at column ${column}${near === "" ? "" : ` (${near})`}: ${message}${hint === undefined || hint === "" ? "" : `; ${hint}`}`,
    reason: "INVALID_FILTER",
    metadata: { column, length: String(length), hint: hint ?? "" },
  };
}

function parseToken(token: string): RunQuery["after"] | "wrong" {
  if (token === "") return undefined;
  const [, ms, id] = /^(\d{1,15})\.([0-9a-f]{32})$/.exec(token) ?? [];
  return ms === undefined || id === undefined ? "wrong" : { startedMs: Number(ms), id };
}

/** How far the index is behind the log. */
export function lagOf(lists: RunLists): ReturnType<typeof toDuration> {
  return toDuration(Math.max(0, ...lists.progress().map(({ lagMs }) => lagMs)));
}

/** A row on the wire. */
export function toListedRun(row: RunRow): ListedRun {
  const { error } = row;
  const status =
    error === undefined ? undefined : { code: status_CodeFromJSON(error.code), message: error.message, details: [] };
  const run: Run = {
    runId: row.id,
    workflow: row.workflow,
    version: row.version,
    key: row.key,
    state: row.state,
    startedAt: toTimestamp(row.startedMs),
    endedAt: row.endedMs === undefined ? undefined : toTimestamp(row.endedMs),
    deadline: row.deadlineMs === undefined ? undefined : toTimestamp(row.deadlineMs),
    steps: [],
    status,
    response: empty,
    responseType: "",
    request: empty,
    requestType: "",
    traceId: row.traceId,
    attributes: { ...row.attributes },
    incidents: row.incidents.map((incident) => ({
      step: incident.step,
      compensation: incident.compensation,
      reason: incident.reason,
      error: { code: status_CodeFromJSON(incident.code), message: incident.message, details: [] },
      since: toTimestamp(incident.sinceMs),
      attempts: incident.attempts,
    })),
    approvals: [],
    held: row.held,
    parentRunId: row.parentId,
    parentStep: row.parentStep,
    signalsWaiting: 0,
    yielded: 0n,
    signals: [],
    actions: [],
    scheduleId: "",
    scheduledFor: undefined,
    triggerId: "",
    eventId: "",
    rerunOfRunId: "",
    rerunFromStep: "",
    rerunAsRunId: "",
  };
  return { run, errorStep: error?.step ?? "", approvalsWaiting: row.approvals };
}

const empty = new Uint8Array();

function toGroup(group: Group): IncidentGroup {
  return {
    workflow: group.workflow,
    step: group.place,
    compensation: group.compensation,
    code: status_CodeFromJSON(group.code),
    reason: incident_ReasonFromJSON(group.reason),
    incidents: BigInt(group.incidents),
    runs: BigInt(group.runs),
    oldest: toTimestamp(group.oldestMs),
    newest: toTimestamp(group.newestMs),
    message: group.message,
    runId: group.runId,
  };
}
