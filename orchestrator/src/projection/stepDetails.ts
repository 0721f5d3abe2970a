import { AttemptId_Phase as Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { StepAttempt_Result as Result } from "../../../proto/gen/sidestep/v1/step_details.ts";
import type { EvaluatedExpression, StepAttempt } from "../../../proto/gen/sidestep/v1/step_details.ts";
import { advance } from "../engine/advance.ts";
import type { PublishTask } from "../engine/command.ts";
import { toPublicStatus } from "../engine/describe.ts";
import { describeExpressions } from "../engine/describeExpressions.ts";
import type { LiveStep } from "../engine/live.ts";
import type { CallPlan, LoadedPlan } from "../engine/plan.ts";
import type { LogRecord } from "../engine/record.ts";
import { shownBytes } from "../engine/redact.ts";
import { resume } from "../engine/snapshot/resume.ts";
import { attemptName } from "../engine/state.ts";
import type { RunState } from "../engine/state.ts";
import { toTimestamp } from "../engine/time.ts";
import type { AttemptEnded, Transition } from "../engine/transition.ts";

/** Which step of a run, or its compensation. */
export interface StepWanted {
  readonly step: string;
  readonly isCompensation: boolean;
}

/** What a step sent, got and computed. */
export interface StepDetails {
  readonly expressions: EvaluatedExpression[];
  readonly attempts: StepAttempt[];
}

/**
 * Plays a run's records again, and notes what one step asks for and computes: what it did then is what it does now. Undefined: no such step has
 * begun.
 */
export function detailsOfStep(
  runId: string,
  plan: LoadedPlan,
  records: readonly LogRecord[],
  wanted: StepWanted,
): StepDetails | undefined {
  const { state, records: rest } = resume(plan, runId, records);
  const attempts = new Map<string, StepAttempt>();
  let expressions: readonly EvaluatedExpression[] = [];
  const note = (task: PublishTask, step: LiveStep): void => {
    const name = attemptName(task.attempt);
    if (isOf(task.attempt, wanted) && !attempts.has(name)) attempts.set(name, toAttempt(plan, step, task));
  };
  // Those that were out when the run was summed up.
  for (const { publish, step } of state.attempts.values()) note(publish, step);
  for (const record of rest) {
    const { commands, transitions } = advance(plan, state, record);
    for (const command of commands) {
      const step = command.kind === "publishTask" ? calledBy(state, command) : undefined;
      if (command.kind === "publishTask" && step !== undefined) note(command, step);
    }
    for (const transition of transitions) {
      if (transition.kind === "attemptEnded") {
        const known = attempts.get(attemptName(transition.attempt));
        if (known !== undefined) attempts.set(attemptName(transition.attempt), withEnd(plan, known, transition));
      } else if (begins(transition, wanted)) {
        const step = liveStep(state, wanted);
        if (step !== undefined) expressions = describeExpressions(plan, state, step, wanted.isCompensation);
      }
    }
  }
  if (liveStep(state, wanted) === undefined && expressions.length === 0 && attempts.size === 0) return undefined;
  return { expressions: [...expressions], attempts: [...attempts.values()] };
}

function liveStep({ steps, compensations }: RunState, { step, isCompensation }: StepWanted): LiveStep | undefined {
  return (isCompensation ? compensations : steps).get(step);
}

function isOf({ step, phase }: PublishTask["attempt"], wanted: StepWanted): boolean {
  return step === wanted.step && (phase === Phase.COMPENSATE) === wanted.isCompensation;
}

/** The `when` was looked at, whatever it gave. */
function begins(transition: Transition, wanted: StepWanted): boolean {
  const isBegin =
    transition.kind === "stepBegan" || (transition.kind === "stepEnded" && transition.result === "skipped");
  if (!isBegin) return false;
  const { step, phase } = transition.address;
  return step === wanted.step && (phase === Phase.COMPENSATE) === wanted.isCompensation;
}

function calledBy(state: RunState, { attempt }: PublishTask): LiveStep | undefined {
  return liveStep(state, { step: attempt.step, isCompensation: attempt.phase === Phase.COMPENSATE });
}

function toAttempt(plan: LoadedPlan, step: LiveStep, task: PublishTask): StepAttempt {
  const { attempt, method, payload } = task;
  const isVerify = attempt.phase === Phase.VERIFY;
  const call = isVerify ? step.call?.plan.verify?.call : step.call?.plan;
  return {
    attempt: attempt.attempt,
    verify: isVerify,
    method,
    askedAt: toTimestamp(task.issuedMs),
    beganAt: undefined,
    endedAt: undefined,
    result: Result.UNDER_WAY,
    status: undefined,
    request: isHidden(call) ? nothing : shownBytes(plan.registry, call?.requestType ?? "", task.request),
    requestType: call?.requestType ?? "",
    requestBytes: BigInt(payload?.sizeBytes ?? 0),
    peer: "",
    sidecar: "",
  };
}

const nothing: Uint8Array = new Uint8Array();

/** Values of redacted fields may stand in any other. */
function isHidden(call: CallPlan | undefined): boolean {
  return call?.request?.isRedacted ?? false;
}

function withEnd(plan: LoadedPlan, attempt: StepAttempt, ended: AttemptEnded): StepAttempt {
  const hasOutcome = ended.delivery > 0;
  return {
    ...attempt,
    beganAt: hasOutcome ? toTimestamp(ended.startedMs) : undefined,
    endedAt: toTimestamp(ended.endedMs),
    result: results[ended.result],
    status: toPublicStatus(plan, ended.status),
    peer: ended.peer,
    sidecar: ended.sidecar === undefined ? "" : `${ended.sidecar.name} on ${ended.sidecar.host}`,
  };
}

const results: Readonly<Record<AttemptEnded["result"], Result>> = {
  completed: Result.COMPLETED,
  failed: Result.FAILED,
  inDoubt: Result.IN_DOUBT,
  expired: Result.EXPIRED,
};
