import { incident_ReasonFromJSON, run_StateFromJSON } from "../../../proto/gen/sidestep/v1/run.ts";
import type { IncidentRow, RunRow } from "../projection/runRow.ts";
import type { Row } from "./database.ts";

/** A row of `runs` as JSON carries it: the columns of schema.ts, null where there is nothing; and the rows of its incidents. */
export type RunRecord = Readonly<Record<string, unknown>> & {
  readonly id: string;
  readonly part: number;
  readonly seq: number;
  readonly epoch: number;
  readonly workflow: string;
  readonly version: number;
  readonly state: number;
  readonly open: readonly Readonly<Record<string, unknown>>[];
};

const textLengthMax = 500;

/** A run's row for the tables. */
export function toRecord(row: RunRow, epoch: number): RunRecord {
  const { error } = row;
  return {
    id: row.id,
    part: row.partition,
    seq: row.sequence,
    epoch,
    workflow: row.workflow,
    version: row.version,
    run_key: orNull(clean(row.key)),
    state: row.state,
    held: row.held ? 1 : 0,
    started: row.startedMs,
    ended: row.endedMs ?? null,
    deadline: row.deadlineMs ?? null,
    trace_id: row.traceId,
    code: error?.code ?? null,
    message: clean(error?.message ?? ""),
    step: error?.step ?? "",
    parent: orNull(row.parentId),
    parent_step: row.parentStep,
    attributes: row.attributes,
    numbers: row.numbers,
    incidents: row.incidents.length,
    approvals: row.approvals,
    kept: row.keptMs,
    open: row.incidents.map((incident) => ({
      run_id: row.id,
      step: incident.step,
      compensation: incident.compensation ? 1 : 0,
      place: incident.place,
      workflow: row.workflow,
      reason: incident.reason,
      code: incident.code,
      message: clean(incident.message),
      since: incident.sinceMs,
      attempts: incident.attempts,
    })),
  };
}

/** No key and no parent: null, so that only those that have one are in an index. */
function orNull(given: string): string | null {
  return given === "" ? null : given;
}

/** PostgreSQL takes neither NUL nor half a character. */
function clean(given: string): string {
  return given.slice(0, textLengthMax).replaceAll("\0", "\uFFFD").toWellFormed();
}

/** A row of `runs` as a database gave it. */
export function fromRow(row: Row, incidents: readonly Row[]): RunRow {
  const code = row["code"];
  return {
    id: text(row, "id"),
    partition: number(row, "part"),
    sequence: number(row, "seq"),
    workflow: text(row, "workflow"),
    version: number(row, "version"),
    key: text(row, "run_key"),
    state: run_StateFromJSON(number(row, "state")),
    held: number(row, "held") === 1,
    startedMs: number(row, "started"),
    endedMs: optional(row, "ended"),
    deadlineMs: optional(row, "deadline"),
    traceId: text(row, "trace_id"),
    error: typeof code === "number" ? { code, message: text(row, "message"), step: text(row, "step") } : undefined,
    parentId: text(row, "parent"),
    parentStep: text(row, "parent_step"),
    keptMs: 0,
    deleted: false,
    attributes: texts(row["attributes"]),
    numbers: {},
    incidents: incidents.map(toIncident),
    approvals: number(row, "approvals"),
  };
}

function toIncident(row: Row): IncidentRow {
  return {
    step: text(row, "step"),
    place: text(row, "place"),
    compensation: number(row, "compensation") === 1,
    reason: incident_ReasonFromJSON(number(row, "reason")),
    code: number(row, "code"),
    message: text(row, "message"),
    sinceMs: number(row, "since"),
    attempts: number(row, "attempts"),
  };
}

/** A text column. */
export function text(row: Row, name: string): string {
  const value = row[name];
  return typeof value === "string" ? value : "";
}

/** A number column; PostgreSQL gives sums of bigint as text. */
export function number(row: Row, name: string): number {
  const value = row[name];
  return typeof value === "number" ? value : Number(value ?? 0);
}

function optional(row: Row, name: string): number | undefined {
  const value = row[name];
  return typeof value === "number" ? value : undefined;
}

function texts(json: unknown): Readonly<Record<string, string>> {
  const value: unknown = typeof json === "string" ? JSON.parse(json) : json;
  if (typeof value !== "object" || value === null) return {};
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, String(one)]));
}
