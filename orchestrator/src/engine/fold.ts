import { AttemptId_Phase as Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type {
  AttemptId,
  Event,
  Migrated,
  RunEnded,
  RunStarted,
} from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Outcome } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { Draft } from "./draft.ts";
import { deferCommand, rejectCommand } from "./commandFate.ts";
import { isVoidStart } from "./limits.ts";
import type { LogRecord } from "./record.ts";
import { holdRun, resumeRun } from "./hold.ts";
import { compensateIncident, failIncident, patchIncident, retryIncident, skipIncident } from "./incident.ts";
import { grantLock } from "./lockStep.ts";
import { requestRerun, takeOver } from "./rerun.ts";
import { releaseLocks } from "./releaseLock.ts";
import { decideApproval } from "./steps/approve.ts";
import { noteEmitted } from "./steps/emit.ts";
import { endChild, noteChild, refuseChild } from "./steps/run.ts";
import { yieldMessage } from "./steps/yield.ts";
import { receiveSignal } from "./steps/signal.ts";
import { isInForce, planOf } from "./snapshot/resume.ts";
import { unloaded } from "./payload.ts";
import { attemptName } from "./state.ts";
import type { LiveAttempt, LiveStep } from "./live.ts";
import type { RunState } from "./state.ts";
import { doubtAttempt, expireAttempt, failCall, succeedCall, succeedEarlier } from "./steps/outcome.ts";
import { fireTimer } from "./fireTimer.ts";
import { armTimer, cancelTimer } from "./timers.ts";
import { cancelRun, terminateRun } from "./verdict.ts";

/**
 * Takes a record into the state. Total: every record is legal in every state, because a log may hold doubles and what came too late.
 * Answers whether it changed anything.
 */
export function fold(draft: Draft, { fact, storedMs }: LogRecord): boolean {
  const { phase } = draft.state;
  if (phase === "ended") return foldAfterEnd(draft, fact);
  if (phase === "void") return false;
  if (fact.kind === "event") return foldEvent(draft, fact.event, storedMs);
  if (phase === "unstarted") return false;
  return fact.authentic && foldOutcome(draft, fact.outcome, fact.payload);
}

/** A run that has ended takes nothing any more but a request to delete it or to go on in its place; a lock that comes to it goes back. */
function foldAfterEnd(draft: Draft, fact: LogRecord["fact"]): boolean {
  if (fact.kind === "outcome") return false;
  if (fact.event.kind?.$case === "deleteRequested") return deleteRun(draft);
  if (fact.event.kind?.$case === "rerunRequested") return requestRerun(draft, fact.event.kind.value);
  return fact.event.kind?.$case === "lockGranted" && grantLock(draft, fact.event.kind.value);
}

function deleteRun({ state, sequence, commands }: Draft): boolean {
  if (state.deleting !== undefined) return false;
  state.deleting = { kind: "deleteRun", issuedAt: sequence };
  commands.push(state.deleting);
  return true;
}

function foldEvent(draft: Draft, event: Event, storedMs: number): boolean {
  const { kind } = event;
  if (kind?.$case === "runStarted") return foldStart(draft, kind.value, storedMs);
  if (kind === undefined || draft.state.phase === "unstarted") return false;
  switch (kind.$case) {
    case "timerFired":
      return fireTimer(draft, kind.value.number);
    case "attemptExpired":
      return foldExpiry(draft, kind.value.attempt);
    case "cancelRequested":
      return cancelRun(draft, kind.value.reason);
    case "terminateRequested":
      return terminateRun(draft, kind.value.reason);
    case "retryRequested":
      return retryIncident(draft, kind.value);
    case "failRequested":
      return failIncident(draft, kind.value);
    case "commandRejected":
      return rejectCommand(draft, kind.value.command, kind.value.reason);
    case "commandDeferred":
      return deferCommand(draft, kind.value);
    case "runEnded":
      return foldEnd(draft, kind.value);
    case "signalReceived":
      return receiveSignal(draft, kind.value);
    case "decisionMade":
      return decideApproval(draft, kind.value);
    case "skipRequested":
      return skipIncident(draft, kind.value);
    case "patchRequested":
      return patchIncident(draft, kind.value);
    case "compensateRequested":
      return compensateIncident(draft, kind.value);
    case "pauseRequested":
      return holdRun(draft, kind.value);
    case "resumeRequested":
      return resumeRun(draft, kind.value.requestId);
    case "childStarted":
      return noteChild(draft, kind.value);
    case "childRefused":
      return refuseChild(draft, kind.value);
    case "childEnded":
      return endChild(draft, kind.value);
    case "lockGranted":
      return grantLock(draft, kind.value);
    case "emitted":
      return noteEmitted(draft, kind.value);
    case "migrated":
      return noteMigration(draft, kind.value);
    case "snapshot":
    case "lockRequested":
    case "lockReleased":
    case "deleteRequested":
    case "rerunRequested":
      return false;
  }
}

function foldStart(draft: Draft, started: RunStarted, storedMs: number): boolean {
  const { plan, state } = draft;
  if (state.phase !== "unstarted") return false;
  state.started = started;
  state.startedMs = state.nowMs;
  if (isVoidStart(started, storedMs)) {
    state.phase = "void";
    return false;
  }
  state.phase = "forward";
  draft.transitions.push({ kind: "runStarted", atMs: state.nowMs });
  const { timeoutMs } = plan.plan;
  if (timeoutMs !== undefined) {
    state.deadlineMs = state.nowMs + timeoutMs;
    state.deadlineTimer = armTimer(draft, state.deadlineMs, { kind: "runDeadline" });
  }
  state.body = {
    kind: "frame",
    block: plan.body,
    owner: undefined,
    slot: 0,
    scope: {
      parent: undefined,
      prefix: "",
      variables: new Map(),
      steps: new Map(),
      sharesSteps: false,
      caught: undefined,
      begun: undefined,
    },
    phase: Phase.FORWARD,
    undo: state.undo,
    compensates: undefined,
    position: 0,
    current: undefined,
    state: "going",
    result: undefined,
    failure: undefined,
  };
  if (started.rerun !== undefined) takeOver(draft, state.body, started.rerun);
  state.worklist.push(state.body);
  return true;
}

/** Whoever folds it does so by that plan from the start on; from here on it says so. */
function noteMigration({ state, before }: Draft, migrated: Migrated): boolean {
  if (state.started === undefined || !isInForce(migrated, before)) return false;
  state.started = { ...state.started, ...planOf(migrated) };
  for (const { step: path, compensation } of migrated.anew) {
    const step = (compensation ? state.compensations : state.steps).get(path);
    // What its attempts have sent was asked for by the other plan.
    if (step?.state.kind === "paused") step.generation += 1;
  }
  return true;
}

/** The end, as the log has it: it stands whatever this engine would have decided. Leaves no timer and no lock behind, and tells the parent. */
function foldEnd(draft: Draft, ended: RunEnded): boolean {
  const { state } = draft;
  if (state.verdict?.kind === "completed" && state.verdict.isLastMessage) yieldMessage(draft, "", ended.response);
  state.ended = ended;
  state.endedMs = state.nowMs;
  state.phase = "ended";
  state.ending = undefined;
  for (const timer of state.timers.values()) cancelTimer(draft, timer);
  state.deadlineTimer = undefined;
  state.overdueTimer = undefined;
  state.attempts.clear();
  state.forwardAttempts = 0;
  state.incidents.clear();
  state.worklist.length = 0;
  state.parked.clear();
  state.hold = undefined;
  state.signals.length = 0;
  state.listeners.clear();
  state.approvals.clear();
  state.awaiting.clear();
  releaseLocks(draft);
  tellParent(draft, ended);
  draft.transitions.push({ kind: "runEnded", ended, startedMs: state.startedMs, endedMs: state.endedMs });
  return true;
}

function tellParent({ state, sequence, commands }: Draft, ended: RunEnded): void {
  const parent = state.started?.parent;
  if (parent === undefined) return;
  state.telling = { kind: "tellParent", issuedAt: sequence, parent, ended };
  commands.push(state.telling);
}

function foldOutcome(draft: Draft, outcome: Outcome, payload: Uint8Array | undefined): boolean {
  const { attempt: id, kind } = outcome;
  if (id === undefined || kind === undefined) return false;
  const attempt = draft.state.attempts.get(attemptName(id));
  const step = attempt?.step ?? stepOf(draft.state, id);
  const call = step?.call;
  if (step === undefined || call === undefined) return false;
  if (kind.$case === "completed" || kind.$case === "claimed") {
    // An attempt that was never asked for can't have succeeded, whatever its token says.
    if (id.attempt > call.attempt) return false;
    if (id.generation !== step.generation) return succeedEarlier(draft, step, attempt, outcome);
    const type = call.plan.resultType;
    const response =
      kind.$case === "completed"
        ? { type, bytes: kind.value }
        : { type, bytes: payload ?? unloaded, payload: kind.value };
    return succeedCall(draft, step, call, attempt, outcome, response);
  }
  // Of an attempt that has ended once only a success counts.
  if (attempt === undefined || attempt.isTold) return false;
  switch (kind.$case) {
    case "failed":
      failCall(draft, attempt, call, outcome, kind.value);
      return true;
    case "started":
      return claimAttempt(attempt, outcome);
    case "inDoubt":
      doubtAttempt(draft, attempt, call, outcome);
      return true;
  }
}

/** The first claim of an open attempt holds; whoever made it may make the call. */
function claimAttempt(attempt: LiveAttempt, { sidecar, delivery }: Outcome): boolean {
  if (!attempt.publish.claim || attempt.close !== undefined || attempt.claim !== undefined) return false;
  attempt.claim = { sidecarId: sidecar?.id ?? "", delivery };
  return true;
}

function foldExpiry(draft: Draft, id: AttemptId | undefined): boolean {
  const attempt = id === undefined ? undefined : draft.state.attempts.get(attemptName(id));
  const call = attempt?.step.call;
  if (attempt === undefined || call === undefined) return false;
  expireAttempt(draft, attempt, call);
  return true;
}

/** The step that an attempt belongs to, whether it is over or not. */
function stepOf(state: RunState, { step, phase }: AttemptId): LiveStep | undefined {
  switch (phase) {
    case Phase.FORWARD:
      return state.steps.get(step);
    case Phase.COMPENSATE:
      return state.compensations.get(step);
    case Phase.VERIFY:
      return state.verifications.get(step);
    case Phase.UNRECOGNIZED:
      return undefined;
  }
}
