import { AttemptId_Phase as Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { StepAttempt_Result as Result } from "../../../proto/gen/sidestep/v1/step_details.ts";
import type { EvaluatedExpression, StepAttempt } from "../../../proto/gen/sidestep/v1/step_details.ts";
import { advance } from "../engine/advance.ts";
import type { Turn } from "../engine/advance.ts";
import type { PublishTask } from "../engine/command.ts";
import { toPublicStatus } from "../engine/describe.ts";
import { describeExpressions } from "../engine/describeExpressions.ts";
import { describeLoop } from "../engine/describeLoop.ts";
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

/** A step that has begun, with what it sent, got and computed. */
export interface DetailedStep extends StepWanted, StepDetails {}

/** What steps ask for and compute, noted while a run's records are played again. */
export interface StepNotes {
  /** Of the turn that has just been played. */
  note(turn: Turn): void;
  /** Of the steps that have begun, in the order in which they did. */
  steps(): readonly DetailedStep[];
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
  const isWanted = ({ step, isCompensation }: StepWanted): boolean =>
    step === wanted.step && isCompensation === wanted.isCompensation;
  const notes = openStepNotes(plan, state, isWanted);
  for (const record of rest) notes.note(advance(plan, state, record));
  const [found] = notes.steps();
  if (found !== undefined) return { expressions: found.expressions, attempts: found.attempts };
  const live = liveStep(state, wanted);
  return live === undefined ? undefined : { expressions: [...describeLoop(plan, live)], attempts: [] };
}

/** Notes what the steps that are wanted do from this state of the run on. */
export function openStepNotes(plan: LoadedPlan, state: RunState, isWanted: (step: StepWanted) => boolean): StepNotes {
  const noted = new Map<string, Noted>();
  const notedAs = (wanted: StepWanted): Noted => {
    const one = noted.get(nameOf(wanted)) ?? { wanted, expressions: [], attempts: new Map() };
    noted.set(nameOf(wanted), one);
    return one;
  };
  const noteTask = (task: PublishTask, step: LiveStep): void => {
    const wanted = stepOf(task.attempt);
    if (!isWanted(wanted)) return;
    const { attempts } = notedAs(wanted);
    const name = attemptName(task.attempt);
    if (!attempts.has(name)) attempts.set(name, toAttempt(plan, step, task));
  };
  const noteTransition = (transition: Transition): void => {
    if (transition.kind === "attemptEnded") {
      const attempts = noted.get(nameOf(stepOf(transition.attempt)))?.attempts;
      const name = attemptName(transition.attempt);
      const known = attempts?.get(name);
      if (known !== undefined) attempts?.set(name, withEnd(plan, known, transition));
    } else if (isBegin(transition)) {
      const wanted = stepOf(transition.address);
      const step = isWanted(wanted) ? liveStep(state, wanted) : undefined;
      if (step !== undefined)
        notedAs(wanted).expressions = describeExpressions(plan, state, step, wanted.isCompensation);
    }
  };
  const loopOf = (wanted: StepWanted): readonly EvaluatedExpression[] => {
    const step = liveStep(state, wanted);
    return step === undefined ? [] : describeLoop(plan, step);
  };
  // Those that were out when the run was summed up.
  for (const { publish, step } of state.attempts.values()) noteTask(publish, step);
  return {
    note: ({ commands, transitions }) => {
      for (const command of commands) {
        const step = command.kind === "publishTask" ? calledBy(state, command) : undefined;
        if (command.kind === "publishTask" && step !== undefined) noteTask(command, step);
      }
      for (const transition of transitions) noteTransition(transition);
    },
    steps: () =>
      [...noted.values()].map(({ wanted, expressions, attempts }) => ({
        step: wanted.step,
        isCompensation: wanted.isCompensation,
        expressions: [...expressions, ...loopOf(wanted)],
        attempts: [...attempts.values()],
      })),
  };
}

function nameOf({ step, isCompensation }: StepWanted): string {
  return `${isCompensation ? "undo" : "do"} ${step}`;
}

interface Noted {
  readonly wanted: StepWanted;
  expressions: readonly EvaluatedExpression[];
  readonly attempts: Map<string, StepAttempt>;
}

function liveStep({ steps, compensations }: RunState, { step, isCompensation }: StepWanted): LiveStep | undefined {
  return (isCompensation ? compensations : steps).get(step);
}

function stepOf({ step, phase }: { readonly step: string; readonly phase: Phase }): StepWanted {
  return { step, isCompensation: phase === Phase.COMPENSATE };
}

/** The `when` was looked at, whatever it gave. */
function isBegin(
  transition: Transition,
): transition is Extract<Transition, { readonly kind: "stepBegan" | "stepEnded" }> {
  return transition.kind === "stepBegan" || (transition.kind === "stepEnded" && transition.result === "skipped");
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
