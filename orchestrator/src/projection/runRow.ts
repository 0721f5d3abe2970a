import { AttemptId_Phase as Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import type { Incident_Reason } from "../../../proto/gen/sidestep/v1/run.ts";
import { toHex } from "../../../proto/wire/runId.ts";
import { attributesOf, publicState } from "../engine/describe.ts";
import type { LiveStep } from "../engine/live.ts";
import type { LoadedPlan } from "../engine/plan.ts";
import type { RunState } from "../engine/state.ts";
import { traceIdOf } from "./traceId.ts";

/** What a list shows of a run, as it stood at one position of its log. Times are whole milliseconds since 1970. */
export interface RunRow {
  readonly id: string;
  readonly partition: number;
  /** Position of the record that this adds up to: a row never takes the place of a later one. */
  readonly sequence: number;
  readonly workflow: string;
  readonly version: number;
  readonly key: string;
  readonly state: Run_State;
  readonly held: boolean;
  readonly startedMs: number;
  readonly endedMs: number | undefined;
  readonly deadlineMs: number | undefined;
  readonly traceId: string;
  /** How it failed, or what its first incident is about; undefined: neither. */
  readonly error: RowError | undefined;
  readonly parentId: string;
  readonly parentStep: string;
  /** Values of the declared attributes, in their JSON form. */
  readonly attributes: Readonly<Record<string, string>>;
  /** The same as numbers, as far as they are: times and durations in milliseconds. */
  readonly numbers: Readonly<Record<string, number>>;
  readonly incidents: readonly IncidentRow[];
  /** Decisions of people that it waits for. */
  readonly approvals: number;
  /** How long it is kept after its end, as its workflow says; 0: as the orchestrator says. */
  readonly keptMs: number;
  /** Nothing is to be listed any more; only id, partition and position are right. */
  readonly deleted: boolean;
}

/** An error by what errors are grouped by. */
export interface RowError {
  readonly code: number;
  readonly message: string;
  /** Path of the step. */
  readonly step: string;
}

/** A step that needs a person. */
export interface IncidentRow extends RowError {
  /** The step's path without its passes: `labels/label` for `labels[3]/label`. */
  readonly place: string;
  readonly compensation: boolean;
  readonly reason: Incident_Reason;
  readonly sinceMs: number;
  readonly attempts: number;
}

/** What a row says of the declared attributes; they are fixed at the start. */
export type RowAttributes = Pick<RunRow, "attributes" | "numbers">;

/** The run as a row. Undefined: there is nothing to list (no start, or a void one). `known`: its attributes, from an earlier row. */
export function rowOf(partition: number, plan: LoadedPlan, state: RunState, known?: RowAttributes): RunRow | undefined {
  const { started, ended, phase } = state;
  if (started === undefined || phase === "void" || phase === "unstarted") return undefined;
  const { attributes, numbers } = known ?? rowAttributes(plan, state);
  const incidents = [...state.incidents].flatMap(incidentOf);
  return {
    id: state.runId,
    partition,
    sequence: state.lastSequence,
    workflow: started.workflow,
    version: started.version,
    key: started.key,
    state: publicState(state),
    held: state.hold !== undefined && ended === undefined,
    startedMs: Math.floor(state.startedMs),
    endedMs: ended === undefined ? undefined : Math.floor(state.endedMs),
    deadlineMs: state.deadlineMs === undefined ? undefined : Math.floor(state.deadlineMs),
    traceId: traceIdOf(state),
    error: errorOf(state, incidents),
    parentId: started.parent === undefined ? "" : toHex(started.parent.runId),
    parentStep: started.parent?.step ?? "",
    attributes,
    numbers,
    incidents,
    approvals: ended === undefined ? state.approvals.size : 0,
    keptMs: ended?.retentionMs ?? 0,
    deleted: state.deleting !== undefined,
  };
}

/** The row of a run of which the log has no more than that it was deleted. */
export function deletedRow(id: string, partition: number, sequence: number): RunRow {
  return {
    id,
    partition,
    sequence,
    workflow: "",
    version: 0,
    key: "",
    state: Run_State.STATE_UNSPECIFIED,
    held: false,
    startedMs: 0,
    endedMs: undefined,
    deadlineMs: undefined,
    traceId: "",
    error: undefined,
    parentId: "",
    parentStep: "",
    attributes: {},
    numbers: {},
    incidents: [],
    approvals: 0,
    keptMs: 0,
    deleted: true,
  };
}

/**
 * What a row says beyond its start, in short: a turn that leaves it as it was changes no row. Costs next to nothing for a run that just goes
 * on: no more than its phase is looked at then.
 */
export function rowMark({ phase, verdict, hold, incidents, approvals, deleting }: RunState): string {
  if (verdict === undefined && hold === undefined && deleting === undefined && approvals.size + incidents.size === 0)
    return phase;
  let mark = `${phase} ${verdict?.kind ?? ""} ${hold !== undefined} ${approvals.size} ${deleting !== undefined}`;
  for (const { path, state } of incidents)
    if (state.kind === "paused") mark += ` ${path} ${state.incident.sinceMs} ${state.incident.status.code}`;
  return mark;
}

function rowAttributes(plan: LoadedPlan, state: RunState): RowAttributes {
  const attributes = attributesOf(plan, state);
  return { attributes, numbers: numbersOf(attributes) };
}

function errorOf({ ended, verdict }: RunState, incidents: readonly IncidentRow[]): RowError | undefined {
  if (ended !== undefined) {
    const { status, step } = ended;
    return status === undefined ? undefined : { code: status.code, message: status.message, step };
  }
  const [first] = incidents;
  if (first !== undefined) return { code: first.code, message: first.message, step: first.step };
  if (verdict === undefined || verdict.kind === "completed") return undefined;
  const { status, step } = verdict.failure;
  return { code: status.code, message: status.message, step };
}

function incidentOf({ path, phase, state, call }: LiveStep): readonly IncidentRow[] {
  if (state.kind !== "paused") return [];
  const { reason, status, sinceMs } = state.incident;
  return [
    {
      step: path,
      place: path.replaceAll(/\[\d+\]/g, ""),
      compensation: phase === Phase.COMPENSATE,
      reason,
      code: status.code,
      message: status.message,
      sinceMs: Math.floor(sinceMs),
      attempts: call?.attempt ?? 0,
    },
  ];
}

/** Attributes in their JSON form as numbers, as far as they are some: times and durations in milliseconds. */
export function numbersOf(attributes: Readonly<Record<string, string>>): Readonly<Record<string, number>> {
  const numbers: Record<string, number> = {};
  for (const [name, json] of Object.entries(attributes)) {
    const number = toNumber(json.startsWith('"') ? json.slice(1, -1) : json);
    if (number !== undefined) numbers[name] = number;
  }
  return numbers;
}

/** 64-bit numbers, times and durations are texts in JSON. */
function toNumber(text: string): number | undefined {
  if (/^-?\d+(\.\d+)?([eE][-+]?\d+)?$/.test(text)) return Number(text);
  const seconds = /^(-?\d+(?:\.\d+)?)s$/.exec(text)?.[1];
  if (seconds !== undefined) return Number(seconds) * 1000;
  const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}
