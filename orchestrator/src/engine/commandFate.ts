import type { AttemptId, CommandDeferred, CommandRejected } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { Incident_Reason as Reason } from "../../../proto/gen/sidestep/v1/run.ts";
import { code } from "../../../proto/wire/status.ts";
import { closeAttempt, deferAttempt } from "./attempts.ts";
import type { Draft } from "./draft.ts";
import { toFailure } from "./failure.ts";
import { attemptName } from "./state.ts";
import type { Failure, LiveAttempt, LiveStep, LiveTimer } from "./live.ts";
import { queuedStep, requestAgain } from "./lockStep.ts";
import { cancelStep, failStep, openIncident } from "./step.ts";
import { emitAgain, emittingStep } from "./steps/emit.ts";
import { followingStep, startAgain } from "./steps/run.ts";
import { exhaustCall } from "./steps/callEnd.ts";
import { failRun } from "./stop.ts";
import { goOn } from "./rest.ts";

/** A command can never become durable: what waited for it fails, or becomes an incident. */
export function rejectCommand(draft: Draft, command: CommandRejected["command"], reason: string): boolean {
  switch (command?.$case) {
    case "task":
      return rejectTask(draft, attemptOf(draft, command.value), reason);
    case "timer":
      return rejectTimer(draft, draft.state.timers.get(command.value), reason);
    case "emit":
      return rejectStep(draft, emittingStep(draft, command.value), `its message can't be stored: ${reason}`);
    case "child":
      return rejectStep(draft, followingStep(draft, command.value), `its run can't be started: ${reason}`);
    case "lock":
      return rejectStep(draft, queuedStep(draft, command.value), `its lock can't be asked for: ${reason}`);
    case undefined:
      return false;
  }
}

/** A command did not become durable for long, and may have: it is asked for again. */
export function deferCommand(draft: Draft, { command, held }: CommandDeferred): boolean {
  switch (command?.$case) {
    case "task": {
      const attempt = attemptOf(draft, command.value);
      if (attempt === undefined || attempt.close !== undefined) return false;
      deferAttempt(draft, attempt, held);
      return true;
    }
    case "timer": {
      const timer = draft.state.timers.get(command.value);
      if (timer === undefined) return false;
      // No pause by a timer that is as hard to arm; the writer has waited long before it gave up.
      timer.arm = { ...timer.arm, issuedAt: draft.sequence };
      draft.commands.push(timer.arm);
      return true;
    }
    case "emit": {
      const step = emittingStep(draft, command.value);
      if (step?.state.kind !== "emitting" || step.outside?.emit === undefined) return false;
      emitAgain(draft, step, step.outside.emit);
      return true;
    }
    case "child": {
      const step = followingStep(draft, command.value);
      if (step?.state.kind !== "following" || step.outside?.child === undefined) return false;
      startAgain(draft, step, step.outside.child);
      return true;
    }
    case "lock": {
      const step = queuedStep(draft, command.value);
      if (step?.outside?.lock === undefined || step.outside.lock.isGranted) return false;
      requestAgain(draft, step, step.outside.lock);
      return true;
    }
    case undefined:
      return false;
  }
}

/** A step waits for what can't be written: a person decides, unless it is given up anyway. */
function rejectStep(draft: Draft, step: LiveStep | undefined, message: string): boolean {
  if (step === undefined || step.state.kind === "paused") return false;
  const { kind } = step.state;
  if ((kind === "following" || kind === "emitting") && step.state.isStopping) cancelStep(draft, step);
  else openIncident(draft, step, Reason.COMMAND_REJECTED, rejection(draft, step.path, message).status);
  return true;
}

function attemptOf(draft: Draft, id: AttemptId): LiveAttempt | undefined {
  return draft.state.attempts.get(attemptName(id));
}

/** An earlier copy of the task may stand in the queue: the attempt is closed and awaited before anything is undone. */
function rejectTask(draft: Draft, attempt: LiveAttempt | undefined, reason: string): boolean {
  if (attempt === undefined || attempt.close !== undefined) return false;
  const { step } = attempt;
  closeAttempt(draft, attempt);
  if (step.state.kind === "running" && step.state.attempt === attempt) {
    if (!attempt.publish.claim || attempt.claim !== undefined) step.maybeExecuted = true;
    exhaustRejected(draft, step, `its task can't be written: ${reason}`);
  }
  return true;
}

function rejectTimer(draft: Draft, timer: LiveTimer | undefined, reason: string): boolean {
  const { state } = draft;
  if (timer === undefined) return false;
  state.timers.delete(timer.number);
  const { purpose } = timer;
  const message = `its timer can't be written: ${reason}`;
  switch (purpose.kind) {
    case "backoff":
      exhaustRejected(draft, purpose.step, message);
      return true;
    case "wait":
    case "pass":
    case "due":
      failStep(draft, purpose.step, rejection(draft, purpose.step.path, message));
      return true;
    case "stepDeadline":
      if (purpose.step.call !== undefined) purpose.step.call.deadlineTimer = undefined;
      if (purpose.step.state.kind === "running") return rejectTask(draft, purpose.step.state.attempt, message);
      return true;
    case "runDeadline":
      state.deadlineTimer = undefined;
      failRun(draft, rejection(draft, "", `the run's deadline can't be kept: ${message}`));
      return true;
    case "rest":
      // This is the next turn.
      goOn(draft);
      return true;
    case "overdue":
      state.overdueTimer = undefined;
      return true;
    case "reissue":
    case "held":
      purpose.attempt.deferred = undefined;
      return rejectTask(draft, purpose.attempt, message);
  }
}

function exhaustRejected(draft: Draft, step: LiveStep, message: string): void {
  if (step.call === undefined) return;
  exhaustCall(draft, step, step.call, rejection(draft, step.path, message), Reason.COMMAND_REJECTED);
}

function rejection(draft: Draft, step: string, message: string): Failure {
  return toFailure(draft.state.runId, step, code.INTERNAL, "COMMAND_REJECTED", message);
}
