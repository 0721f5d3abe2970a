import type { AttemptId_Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { AttemptId_Phase as Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { RpcStatus } from "../../../proto/gen/sidestep/internal/v1/rpc.ts";
import type { Incident_Reason } from "../../../proto/gen/sidestep/v1/run.ts";
import type { Draft } from "./draft.ts";
import type { KeptValue } from "./expression/result.ts";
import type { StepPlan } from "./plan.ts";
import type { Failure, Frame, Inner, LiveCall, LiveStep, StepState, Undoing } from "./live.ts";
import { stopWaiting } from "./listeners.ts";
import { leaveLock } from "./releaseLock.ts";
import type { RunState } from "./state.ts";
import { cancelTimer } from "./timers.ts";
import type { StepAddress } from "./transition.ts";
import { closeUndoScope, noteUndo } from "./undo.ts";

/** A step that begins now in a frame, in the state "ready". */
export function makeStep(
  draft: Draft,
  frame: Frame,
  plan: StepPlan,
  phase: AttemptId_Phase,
  parts: {
    readonly call: LiveCall | undefined;
    readonly inner: Inner | undefined;
    /** Set for the compensation of a step as a whole. */
    readonly undoing?: Undoing;
    /** Set for what asks whether a step's call was carried out. */
    readonly verifies?: LiveStep;
  },
): LiveStep {
  const { nowMs } = draft.state;
  return {
    kind: "step",
    plan,
    phase,
    path: frame.scope.prefix + plan.name,
    generation: 0,
    frame,
    state: ready,
    startedMs: nowMs,
    endedMs: 0,
    result: undefined,
    maybeExecuted: false,
    lastStatus: undefined,
    isPending: false,
    call: parts.call,
    inner: parts.inner,
    undoing: parts.undoing,
    undoOrder: 0,
    outside: undefined,
    verifies: parts.verifies,
  };
}

const ready: StepState = { kind: "ready" };
const completed: StepState = { kind: "completed" };
const skipped: StepState = { kind: "skipped" };
const cancelled: StepState = { kind: "cancelled" };

/** Is the step not over yet? */
export function isOpen(step: LiveStep): boolean {
  switch (step.state.kind) {
    case "ready":
    case "queued":
    case "running":
    case "closing":
    case "backingOff":
    case "waiting":
    case "listening":
    case "asking":
    case "following":
    case "emitting":
    case "verifying":
    case "inside":
    case "undoing":
    case "paused":
      return true;
    case "completed":
    case "failed":
    case "skipped":
    case "cancelled":
      return false;
  }
}

/** Counts the step among the open ones until it ends. */
export function holdPlace(draft: Draft, step: LiveStep): void {
  if (step.isPending) return;
  step.isPending = true;
  draft.state.pendingSteps += 1;
}

/** The step goes on without waiting for anything. */
export function releasePlace(draft: Draft, step: LiveStep): void {
  if (step.isPending) draft.state.pendingSteps -= 1;
  step.isPending = false;
}

/** Where steps of a phase stand by path. */
export function registerOf({ steps, compensations }: RunState, phase: AttemptId_Phase): Map<string, LiveStep> {
  return phase === Phase.COMPENSATE ? compensations : steps;
}

/** How transitions and ids name the step. */
export function addressOf(step: LiveStep): StepAddress {
  return { step: step.path, generation: step.generation, phase: step.phase };
}

/** The step whose block this one stands in, or whose call it verifies. */
export function parentOf(step: LiveStep): StepAddress | undefined {
  if (step.verifies !== undefined) return addressOf(step.verifies);
  const { owner } = step.frame;
  return owner === undefined ? undefined : addressOf(owner);
}

/** The step has its result; undefined: its kind has none. */
export function completeStep(draft: Draft, step: LiveStep, result: KeptValue | undefined): void {
  step.result = result;
  endStep(draft, step, completed, "completed");
}

/** The step has failed for good. */
export function failStep(draft: Draft, step: LiveStep, failure: Failure): void {
  step.lastStatus = failure.status;
  endStep(draft, step, { kind: "failed", failure }, "failed");
}

/** Its `when` was false. */
export function skipStep(draft: Draft, step: LiveStep): void {
  endStep(draft, step, skipped, "skipped");
}

/** The step is given up, because the run stops. */
export function cancelStep(draft: Draft, step: LiveStep): void {
  endStep(draft, step, cancelled, "cancelled");
}

/** The one place where a step ends: leaves its incident and its deadline, is noted for undoing, and lets go on what it stands in. */
function endStep(
  draft: Draft,
  step: LiveStep,
  end: StepState,
  result: "completed" | "failed" | "skipped" | "cancelled",
): void {
  const { state } = draft;
  leaveIncident(draft, step);
  stopWaiting(draft, step);
  state.awaiting.delete(step);
  step.state = end;
  step.endedMs = state.nowMs;
  releasePlace(draft, step);
  releaseDeadline(draft, step);
  if (step.call !== undefined) step.call.prepared = undefined;
  draft.transitions.push({
    kind: "stepEnded",
    address: addressOf(step),
    plan: step.plan,
    parent: parentOf(step),
    startedMs: step.startedMs,
    endedMs: step.endedMs,
    result,
    attempts: step.call?.attempt ?? 0,
    status: result === "failed" ? step.lastStatus : undefined,
    maybeExecuted: result !== "completed" && step.maybeExecuted,
  });
  leaveLock(draft, step);
  if (step.verifies !== undefined) state.worklist.push(step.verifies);
  else if (step.undoing === undefined) leaveFrame(draft, step, result === "completed");
  else leaveUndoing(draft, step, step.undoing);
}

function leaveFrame(draft: Draft, step: LiveStep, isCompleted: boolean): void {
  const { frame, inner, plan } = step;
  const isUndoable = step.phase === Phase.FORWARD && plan.compensate !== undefined;
  if (inner !== undefined && inner.undo !== frame.undo) closeUndoScope(inner.undo, isUndoable && isCompleted);
  if (isUndoable && (isCompleted || step.maybeExecuted)) noteUndo(draft, step);
  draft.state.worklist.push(frame);
}

function leaveUndoing(draft: Draft, step: LiveStep, undoing: Undoing): void {
  const { state } = draft;
  undoing.open -= 1;
  if (step.state.kind === "failed") {
    state.compensationFailed = true;
    undoing.failure ??= step.state.failure;
  }
  if (undoing.owner !== undefined) state.worklist.push(undoing.owner);
}

/** Stops the step until a person decides. */
export function openIncident(draft: Draft, step: LiveStep, reason: Incident_Reason, status: RpcStatus): void {
  const { nowMs, incidents } = draft.state;
  step.lastStatus = status;
  step.state = { kind: "paused", incident: { reason, status, sinceMs: nowMs } };
  incidents.add(step);
  releaseDeadline(draft, step);
  draft.transitions.push({
    kind: "incidentOpened",
    address: addressOf(step),
    reason,
    status,
    attempts: step.call?.attempt ?? 0,
    atMs: nowMs,
  });
}

function releaseDeadline(draft: Draft, { call }: LiveStep): void {
  if (call === undefined) return;
  if (call.deadlineTimer !== undefined) cancelTimer(draft, call.deadlineTimer);
  call.deadlineTimer = undefined;
  call.deadlineMs = undefined;
}

/** The step's incident, if it has one, is over. */
export function leaveIncident(draft: Draft, step: LiveStep): void {
  if (!draft.state.incidents.delete(step)) return;
  draft.transitions.push({ kind: "incidentClosed", address: addressOf(step), atMs: draft.state.nowMs });
}
