import { status_CodeFromJSON } from "../../../proto/gen/sidestep/v1/workflow.ts";
import type { RpcStatus as InternalStatus } from "../../../proto/gen/sidestep/internal/v1/rpc.ts";
import { AttemptId_Phase as Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { Run_State, StepStatus_State } from "../../../proto/gen/sidestep/v1/run.ts";
import type { Incident, PendingApproval, RpcStatus, Run, StepStatus } from "../../../proto/gen/sidestep/v1/run.ts";
import { childRunId } from "../../../proto/wire/childRunId.ts";
import { parseRunId, toHex } from "../../../proto/wire/runId.ts";
import { code } from "../../../proto/wire/status.ts";
import { evaluateValue } from "./evaluate.ts";
import { fittingActions } from "./fitting.ts";
import { toJsonText } from "./keptJson.ts";
import type { LoadedPlan } from "./plan.ts";
import type { LiveAttempt, LiveStep, LiveTimer } from "./live.ts";
import { shownBytes, shownDetails } from "./redact.ts";
import type { RunState } from "./state.ts";
import { toTimestamp } from "./time.ts";

/** The run as the public API shows it, without what is declared `debug_redact`. `no_sidecar` says that an attempt is overdue; who knows the catalog knows better. */
export function describeRun(plan: LoadedPlan, state: RunState): Run {
  const { started, ended } = state;
  const parent = started?.parent;
  const taken = new Set(started?.rerun?.taken.map(({ index }) => index));
  return {
    runId: state.runId,
    workflow: started?.workflow ?? plan.plan.workflow,
    version: started?.version ?? 0,
    key: started?.key ?? "",
    state: publicState(state),
    startedAt: started === undefined ? undefined : toTimestamp(state.startedMs),
    endedAt: ended === undefined ? undefined : toTimestamp(state.endedMs),
    deadline: state.deadlineMs === undefined ? undefined : toTimestamp(state.deadlineMs),
    steps: [...state.steps.values(), ...state.compensations.values()].map((step) =>
      describeStep(plan, state, step, step.phase === Phase.FORWARD && taken.has(step.plan.index)),
    ),
    status: statusOf(plan, state),
    response: shownBytes(plan.registry, plan.plan.responseType, ended?.response ?? empty),
    responseType: plan.plan.responseType,
    request: shownBytes(plan.registry, plan.plan.requestType, started?.request ?? empty),
    requestType: plan.plan.requestType,
    traceId: started?.trace?.traceId.length === 16 ? toHex(started.trace.traceId) : state.runId,
    attributes: attributesOf(plan, state),
    incidents: [...state.incidents].flatMap((step) => describeIncident(plan, step)),
    approvals: [...state.approvals].flatMap(describeApproval),
    held: state.hold !== undefined,
    parentRunId: parent === undefined ? "" : toHex(parent.runId),
    parentStep: parent?.step ?? "",
    signalsWaiting: state.signals.length,
    yielded: BigInt(state.yields.first + state.yields.messages.length),
    signals: plan.signals.map(({ name, type }) => ({ name, type })),
    actions: fittingActions(plan, state),
    scheduleId: started?.schedule?.id ?? "",
    scheduledFor: started?.schedule === undefined ? undefined : toTimestamp(started.schedule.nominalMs),
    triggerId: started?.event?.trigger ?? "",
    eventId: started?.event?.event ?? "",
    rerunOfRunId: started?.rerun === undefined ? "" : toHex(started.rerun.runId),
    rerunFromStep: started?.rerun?.step ?? "",
    rerunAsRunId: state.rerun === undefined ? "" : toHex(state.rerun.runId),
  };
}

const empty: Uint8Array = new Uint8Array();

/** The state that the public API shows. */
export function publicState({ phase, verdict, incidents, ended }: RunState): Run_State {
  switch (phase) {
    case "unstarted":
    case "void":
      return Run_State.STATE_UNSPECIFIED;
    case "forward":
    case "stopping":
    case "compensating":
    case "ending":
      if (incidents.size > 0) return Run_State.PAUSED;
      return verdict === undefined || verdict.kind === "completed" ? Run_State.RUNNING : Run_State.COMPENSATING;
    case "ended":
      return ended?.state ?? Run_State.STATE_UNSPECIFIED;
  }
}

function statusOf(plan: LoadedPlan, { ended, verdict }: RunState): RpcStatus | undefined {
  if (ended?.state === Run_State.COMPLETED) return { code: code.OK, message: "", details: [] };
  if (ended !== undefined) return toPublicStatus(plan, ended.status);
  return verdict === undefined || verdict.kind === "completed"
    ? undefined
    : toPublicStatus(plan, verdict.failure.status);
}

/** The same status with the code's name. */
export function toPublicStatus({ registry }: LoadedPlan, status: InternalStatus | undefined): RpcStatus | undefined {
  if (status === undefined) return undefined;
  const { message, details } = status;
  return { code: status_CodeFromJSON(status.code), message, details: shownDetails(registry, details) };
}

function describeStep(plan: LoadedPlan, { ended, runId }: RunState, step: LiveStep, takenOver: boolean): StepStatus {
  const { state, call } = step;
  const isCompensation = step.phase === Phase.COMPENSATE;
  const attempt = attemptOf(step) ?? (state.kind === "verifying" ? attemptOf(state.by) : undefined);
  const timer = timerOf(step);
  return {
    path: step.path,
    kind: kindOf(step),
    state: stepState(step, ended !== undefined),
    attempt: call?.attempt ?? 0,
    startedAt: toTimestamp(step.startedMs),
    endedAt: step.endedMs === 0 ? undefined : toTimestamp(step.endedMs),
    method: call?.plan.method ?? "",
    lastError: toPublicStatus(plan, step.lastStatus),
    nextAt: timer === undefined ? undefined : toTimestamp(timer.dueMs),
    maybeExecuted: state.kind !== "completed" && step.maybeExecuted,
    compensation: isCompensation,
    result: shownResult(plan, step),
    resultType: step.result?.type ?? "",
    broken: false,
    drifted: false,
    noSidecar: ended === undefined && (attempt?.isOverdue ?? false),
    childRunId: childOf(runId, step),
    lock: step.outside?.lock?.name ?? "",
    resultBytes: BigInt(step.result?.payload?.sizeBytes ?? 0),
    takenOver,
  };
}

/** Nothing of a result that is kept apart, or that a redacted field went into. */
function shownResult({ registry }: LoadedPlan, { result, plan, undoing }: LiveStep): Uint8Array {
  if (result === undefined || result.payload !== undefined) return empty;
  return plan.isRedacted && undoing === undefined ? empty : shownBytes(registry, result.type, result.bytes);
}

function attemptOf(step: LiveStep | undefined): LiveAttempt | undefined {
  return step?.state.kind === "running" || step?.state.kind === "closing" ? step.state.attempt : undefined;
}

function timerOf({ state }: LiveStep): LiveTimer | undefined {
  switch (state.kind) {
    case "waiting":
    case "backingOff":
    case "listening":
    case "asking":
      return state.timer;
    case "verifying":
      return state.by === undefined ? undefined : timerOf(state.by);
    case "ready":
    case "queued":
    case "running":
    case "closing":
    case "following":
    case "emitting":
    case "inside":
    case "undoing":
    case "paused":
    case "completed":
    case "failed":
    case "skipped":
    case "cancelled":
      return undefined;
  }
}

/** Id of the child that the step has asked for; empty: none. */
export function childOf(runId: string, { outside }: LiveStep): string {
  const parent = parseRunId(runId);
  if (outside?.childAt === undefined || parent === undefined) return "";
  return childRunId(parent, outside.childAt.step, outside.childAt.generation);
}

function describeApproval(step: LiveStep): readonly PendingApproval[] {
  if (step.state.kind !== "asking" || step.plan.action.kind !== "approve") return [];
  const { approval, timer } = step.state;
  const { title, detail, approvers, sinceMs } = approval;
  return [
    {
      step: step.path,
      title,
      detail,
      approvers: approvers ?? [],
      type: step.plan.action.approval.type,
      since: toTimestamp(sinceMs),
      due: timer === undefined ? undefined : toTimestamp(timer.dueMs),
    },
  ];
}

/** As the field of sidestep.v1.Step is called; of a compensation as a whole "call" or "block". */
function kindOf({ undoing, call, plan: { action } }: LiveStep): string {
  if (undoing !== undefined) return call === undefined ? "block" : "call";
  switch (action.kind) {
    case "waitUntil":
      return "wait";
    case "forEach":
      return "for_each";
    case "compensateNow":
      return "compensate_now";
    case "call":
    case "switch":
    case "parallel":
    case "loop":
    case "wait":
    case "let":
    case "fail":
    case "return":
    case "try":
    case "signal":
    case "approve":
    case "run":
    case "emit":
    case "yield":
      return action.kind;
  }
}

function stepState({ state }: LiveStep, isOver: boolean): StepStatus_State {
  switch (state.kind) {
    case "ready":
    case "running":
    case "closing":
    case "inside":
    case "undoing":
    case "emitting":
    case "verifying":
      return isOver ? StepStatus_State.CANCELLED : StepStatus_State.RUNNING;
    case "backingOff":
      return isOver ? StepStatus_State.CANCELLED : StepStatus_State.BACKING_OFF;
    case "queued":
      return isOver ? StepStatus_State.CANCELLED : StepStatus_State.QUEUED;
    case "waiting":
    case "listening":
    case "asking":
    case "following":
      return isOver ? StepStatus_State.CANCELLED : StepStatus_State.WAITING;
    case "paused":
      return isOver ? StepStatus_State.CANCELLED : StepStatus_State.PAUSED;
    case "completed":
      return StepStatus_State.COMPLETED;
    case "failed":
      return StepStatus_State.FAILED;
    case "skipped":
      return StepStatus_State.SKIPPED;
    case "cancelled":
      return StepStatus_State.CANCELLED;
  }
}

function describeIncident(plan: LoadedPlan, step: LiveStep): readonly Incident[] {
  if (step.state.kind !== "paused") return [];
  const { reason, status, sinceMs } = step.state.incident;
  return [
    {
      step: step.path,
      compensation: step.phase === Phase.COMPENSATE,
      reason,
      error: toPublicStatus(plan, status),
      since: toTimestamp(sinceMs),
      attempts: step.call?.attempt ?? 0,
    },
  ];
}

/** Attributes that have a value now, in their JSON form: one that reads what is not there yet, or that JSON can't say, is left out. */
export function attributesOf({ attributes, registry }: LoadedPlan, state: RunState): { [key: string]: string } {
  const found: { [key: string]: string } = {};
  const { body } = state;
  if (body === undefined) return found;
  for (const { name, value } of attributes) {
    const evaluated = evaluateValue({ state, scope: body.scope, step: "" }, value);
    const json = evaluated.kind === "value" ? toJsonText(evaluated.value, registry) : "";
    if (json !== "") found[name] = json;
  }
  return found;
}
