import { list, number, object, oneOf, text, textMap, texts, time, truth } from "./json.ts";
import type { Json, JsonObject } from "./json.ts";
import type { StepState } from "../graph/overlay.ts";

/** States of sidestep.v1.Run, by name. */
export const runStates = [
  "RUNNING",
  "PAUSED",
  "COMPENSATING",
  "COMPLETED",
  "FAILED",
  "COMPENSATED",
  "COMPENSATION_FAILED",
  "CANCELLED",
  "TERMINATED",
  "CORRUPT",
] as const;
export type RunState = (typeof runStates)[number];

/** google.rpc.Status with its details decoded. */
export interface Status {
  readonly code: string;
  readonly message: string;
  readonly details: readonly JsonObject[];
}

/** sidestep.v1.Run, times in milliseconds, payloads decoded where their type is known. */
export interface Run {
  readonly runId: string;
  readonly workflow: string;
  readonly version: number;
  readonly key: string;
  readonly state: RunState;
  readonly startedAt: number | undefined;
  readonly endedAt: number | undefined;
  readonly deadline: number | undefined;
  readonly steps: readonly Step[];
  readonly status: Status | undefined;
  readonly request: Json | undefined;
  readonly requestType: string;
  readonly response: Json | undefined;
  readonly responseType: string;
  readonly traceId: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly incidents: readonly Incident[];
  readonly approvals: readonly Approval[];
  readonly held: boolean;
  readonly parentRunId: string;
  /** The schedule that started it; empty: none. */
  readonly scheduleId: string;
  readonly scheduledFor: number | undefined;
  /** The run in whose place this one goes on, from which step on, and the one that goes on in place of this one; empty: none. */
  readonly rerunOfRunId: string;
  readonly rerunFromStep: string;
  readonly rerunAsRunId: string;
  readonly parentStep: string;
  readonly signalsWaiting: number;
  readonly signals: readonly { readonly name: string; readonly type: string }[];
  readonly actions: readonly FittingAction[];
}

/** sidestep.v1.FittingAction. */
export interface FittingAction {
  readonly kind: string;
  readonly steps: readonly string[];
}

/** Whether an action fits a run as it stands; of a step: whether it fits that. A run tells no more than 100 steps of an action. */
export function isFitting({ actions }: Pick<Run, "actions">, kind: string, step?: string): boolean {
  return actions.some((one) => {
    if (one.kind !== kind) return false;
    return step === undefined || one.steps.includes(step) || one.steps.length >= 100;
  });
}

/** sidestep.v1.StepStatus. */
export interface Step {
  readonly path: string;
  readonly kind: string;
  readonly state: StepState;
  readonly attempt: number;
  readonly startedAt: number | undefined;
  readonly endedAt: number | undefined;
  readonly method: string;
  readonly lastError: Status | undefined;
  readonly nextAt: number | undefined;
  readonly maybeExecuted: boolean;
  readonly compensation: boolean;
  readonly result: Json | undefined;
  readonly resultType: string;
  readonly resultBytes: number;
  readonly noSidecar: boolean;
  readonly broken: boolean;
  /** No service that runs fits the call. */
  readonly drifted: boolean;
  readonly childRunId: string;
  /** It ran in the run in whose place this one goes on. */
  readonly takenOver: boolean;
  readonly lock: string;
}

/** sidestep.v1.Incident. */
export interface Incident {
  readonly step: string;
  readonly compensation: boolean;
  readonly reason: string;
  readonly error: Status | undefined;
  readonly since: number | undefined;
  readonly attempts: number;
}

/** sidestep.v1.PendingApproval. */
export interface Approval {
  readonly step: string;
  readonly title: string;
  readonly detail: string;
  readonly approvers: readonly string[];
  readonly type: string;
  readonly since: number | undefined;
  readonly due: number | undefined;
}

/** sidestep.v1.HistoryEvent. */
export interface HistoryEvent {
  readonly sequence: string;
  readonly time: number | undefined;
  readonly kind: string;
  readonly step: string;
  readonly compensation: boolean;
  readonly attempt: number;
  readonly status: Status | undefined;
  readonly payload: Json | undefined;
  readonly payloadType: string;
  readonly text: string;
  readonly actor: string;
  readonly ignored: boolean;
}

const stepStates = [
  "RUNNING",
  "BACKING_OFF",
  "WAITING",
  "COMPLETED",
  "FAILED",
  "SKIPPED",
  "PAUSED",
  "CANCELLED",
  "QUEUED",
] as const;

/** Whether nothing happens to the run any more. */
export function hasEnded({ state }: Pick<Run, "state">): boolean {
  return !["RUNNING", "PAUSED", "COMPENSATING", "CORRUPT"].includes(state);
}

/** Reads a Run. */
export function toRun(json: JsonObject): Run {
  return {
    runId: text(json, "runId"),
    workflow: text(json, "workflow"),
    version: number(json, "version"),
    key: text(json, "key"),
    state: oneOf(json, "state", runStates, "RUNNING"),
    startedAt: time(json, "startedAt"),
    endedAt: time(json, "endedAt"),
    deadline: time(json, "deadline"),
    steps: list(json, "steps", toStep),
    status: toStatus(json["status"]),
    request: json["request"],
    requestType: text(json, "requestType"),
    response: json["response"],
    responseType: text(json, "responseType"),
    traceId: text(json, "traceId"),
    attributes: textMap(json, "attributes"),
    incidents: list(json, "incidents", toIncident),
    approvals: list(json, "approvals", toApproval),
    held: truth(json, "held"),
    parentRunId: text(json, "parentRunId"),
    scheduleId: text(json, "scheduleId"),
    scheduledFor: time(json, "scheduledFor"),
    rerunOfRunId: text(json, "rerunOfRunId"),
    rerunFromStep: text(json, "rerunFromStep"),
    rerunAsRunId: text(json, "rerunAsRunId"),
    parentStep: text(json, "parentStep"),
    signalsWaiting: number(json, "signalsWaiting"),
    signals: list(json, "signals", (one) => ({ name: text(one, "name"), type: text(one, "type") })),
    actions: list(json, "actions", (one) => ({ kind: text(one, "kind"), steps: texts(one, "steps") })),
  };
}

function toStep(json: JsonObject): Step {
  return {
    path: text(json, "path"),
    kind: text(json, "kind"),
    state: oneOf(json, "state", stepStates, "RUNNING"),
    attempt: number(json, "attempt"),
    startedAt: time(json, "startedAt"),
    endedAt: time(json, "endedAt"),
    method: text(json, "method"),
    lastError: toStatus(json["lastError"]),
    nextAt: time(json, "nextAt"),
    maybeExecuted: truth(json, "maybeExecuted"),
    compensation: truth(json, "compensation"),
    result: json["result"],
    resultType: text(json, "resultType"),
    resultBytes: number(json, "resultBytes"),
    noSidecar: truth(json, "noSidecar"),
    broken: truth(json, "broken"),
    drifted: truth(json, "drifted"),
    childRunId: text(json, "childRunId"),
    takenOver: truth(json, "takenOver"),
    lock: text(json, "lock"),
  };
}

function toIncident(json: JsonObject): Incident {
  return {
    step: text(json, "step"),
    compensation: truth(json, "compensation"),
    reason: text(json, "reason"),
    error: toStatus(json["error"]),
    since: time(json, "since"),
    attempts: number(json, "attempts"),
  };
}

/** Reads a PendingApproval. */
export function toApproval(json: JsonObject): Approval {
  return {
    step: text(json, "step"),
    title: text(json, "title"),
    detail: text(json, "detail"),
    approvers: texts(json, "approvers"),
    type: text(json, "type"),
    since: time(json, "since"),
    due: time(json, "due"),
  };
}

/** Reads a HistoryEvent. */
export function toEvent(json: JsonObject): HistoryEvent {
  return {
    sequence: text(json, "sequence"),
    time: time(json, "time"),
    kind: text(json, "kind"),
    step: text(json, "step"),
    compensation: truth(json, "compensation"),
    attempt: number(json, "attempt"),
    status: toStatus(json["status"]),
    payload: json["payload"],
    payloadType: text(json, "payloadType"),
    text: text(json, "text"),
    actor: text(json, "actor"),
    ignored: truth(json, "ignored"),
  };
}

/** Reads an RpcStatus. */
export function toStatus(json: Json | undefined): Status | undefined {
  if (json === undefined) return undefined;
  const of = object(json);
  return { code: text(of, "code") || "OK", message: text(of, "message"), details: list(of, "details", (it) => it) };
}
