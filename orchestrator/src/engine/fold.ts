import { AttemptId_Phase as Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { AttemptId, Event, RunEnded, RunStarted } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Outcome } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { Draft } from "./draft.ts";
import { deferCommand, rejectCommand } from "./commandFate.ts";
import { isVoidStart } from "./limits.ts";
import type { LogRecord } from "./record.ts";
import { failIncident, retryIncident } from "./incident.ts";
import { unloaded } from "./payload.ts";
import { attemptName } from "./state.ts";
import type { LiveAttempt, LiveStep } from "./live.ts";
import type { RunState } from "./state.ts";
import { doubtAttempt, expireAttempt, failCall, succeedCall } from "./steps/outcome.ts";
import { fireTimer } from "./fireTimer.ts";
import { armTimer, cancelTimer } from "./timers.ts";
import { cancelRun, terminateRun } from "./verdict.ts";

/**
 * Takes a record into the state. Total: every record is legal in every state, because a log may hold doubles and what came too late.
 * Answers whether it changed anything.
 */
export function fold(draft: Draft, { fact, storedMs }: LogRecord): boolean {
  const { phase } = draft.state;
  if (phase === "void" || phase === "ended") return false;
  if (fact.kind === "event") return foldEvent(draft, fact.event, storedMs);
  if (phase === "unstarted") return false;
  return fact.authentic && foldOutcome(draft, fact.outcome, fact.payload);
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
      return deferCommand(draft, kind.value.command);
    case "runEnded":
      return foldEnd(draft, kind.value);
    case "signalReceived":
    case "decisionMade":
    case "skipRequested":
    case "patchRequested":
    case "compensateRequested":
    case "pauseRequested":
    case "resumeRequested":
    case "childStarted":
    case "childRefused":
    case "childEnded":
    case "lockGranted":
    case "emitted":
    case "snapshot":
    case "lockRequested":
    case "lockReleased":
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
  state.worklist.push(state.body);
  return true;
}

/** The end, as the log has it: it stands whatever this engine would have decided. Leaves no timer behind. */
function foldEnd(draft: Draft, ended: RunEnded): boolean {
  const { state } = draft;
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
  draft.transitions.push({ kind: "runEnded", ended, startedMs: state.startedMs, endedMs: state.endedMs });
  return true;
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
    if (id.generation !== step.generation || id.attempt > call.attempt) return false;
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
    case Phase.UNRECOGNIZED:
      return undefined;
  }
}
