import { AttemptId_Phase as Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type {
  AttemptId,
  Migrated_AnewStep,
  Migrated_DroppedSignals,
  Rerun,
} from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { advance } from "./advance.ts";
import { placeOf } from "./ahead.ts";
import type { CloseAttempt, Command, PublishTask } from "./command.ts";
import type { LiveStep } from "./live.ts";
import type { LoadedPlan } from "./plan.ts";
import type { LogRecord } from "./record.ts";
import { snapshotIn } from "./snapshot/resume.ts";
import { newRun } from "./state.ts";
import type { RunState } from "./state.ts";

/** A step at an open incident whose calls the other plan makes otherwise. */
export type Anew = Migrated_AnewStep;
/** Signals of one name that no step has taken yet. */
export type DroppedSignals = Migrated_DroppedSignals;

/** Whether a run can go on by another plan. */
export type Migration =
  /**
   * `at`: the step of the workflow's own block where it goes on; empty: all are behind it. `anew`: what it tries otherwise, when somebody has it tried.
   * `drops`: signals that wait to be taken, and which the other plan does not know.
   */
  | {
      readonly kind: "can";
      readonly at: string;
      readonly anew: readonly Anew[];
      readonly drops: readonly DroppedSignals[];
    }
  /** It could, but a call may be under way that the other plan would have made otherwise. */
  | { readonly kind: "busy"; readonly step: string }
  /** At this record the other plan asks for something else: the first such place. */
  | { readonly kind: "differs"; readonly sequence: number; readonly step: string; readonly text: string }
  /** Its earliest events have been summed up, and can't be compared any more. */
  | { readonly kind: "summedUp" }
  | { readonly kind: "ended" };

/**
 * Whether a run can go on by another plan: all that has come to it, folded by that plan, asks for the very same at each point. Only of a step that
 * stands at an incident, with no call under way, the calls may be others: what comes of the next one is what people wait for. Reads nothing but its
 * arguments; the records have the payloads that either plan reads.
 */
export function migrationOf(from: LoadedPlan, to: LoadedPlan, runId: string, records: readonly LogRecord[]): Migration {
  if (records.some((record) => snapshotIn(record) !== undefined)) return { kind: "summedUp" };
  const before = newRun(runId);
  const asked = records.map((record) => advance(from, before, record).commands);
  if (before.phase === "ended" || before.phase === "void" || before.phase === "unstarted") return { kind: "ended" };
  const moved = before.started?.rerun === undefined ? undefined : movedStep(from, to, before.started.rerun);
  if (moved !== undefined) {
    const text = "it was taken over from another run, and the other version has another step there";
    return { kind: "differs", sequence: records[0]?.sequence ?? 0, step: moved, text };
  }
  const paused = new Map([...before.incidents].flatMap((step) => (isCall(step) ? [[nameOfStep(step), step]] : [])));
  const anew = new Set<LiveStep>();
  const after = newRun(runId);
  for (const [at, record] of records.entries()) {
    let other: readonly Command[];
    try {
      other = advance(to, after, record).commands;
    } catch (error) {
      return { kind: "differs", sequence: record.sequence, step: "", text: `it can't be folded: ${String(error)}` };
    }
    const difference = firstDifference(asked[at] ?? [], other, (attempt) => {
      const step = paused.get(`${attempt.step}/${attempt.phase}`);
      if (step !== undefined) anew.add(step);
      return step !== undefined;
    });
    if (difference !== undefined) return { kind: "differs", sequence: record.sequence, ...difference };
  }
  if (before.phase !== after.phase)
    return { kind: "differs", sequence: before.lastSequence, step: "", text: `it would be ${after.phase}` };
  const misread = before.signals.find(
    ({ name }) => typeOf(to, name) !== undefined && typeOf(to, name) !== typeOf(from, name),
  );
  if (misread !== undefined) {
    const text = `a signal ${misread.name} waits to be taken: of type ${typeOf(from, misread.name)} here, ${typeOf(to, misread.name)} there`;
    return { kind: "differs", sequence: before.lastSequence, step: "", text };
  }
  return goesOn(to, before, after, [...anew]);
}

/** A run that goes on in place of another one names what that came to by the places of steps in its plan; the first that is another one there. */
function movedStep(from: LoadedPlan, to: LoadedPlan, { step, taken }: Rerun): string | undefined {
  for (const { index } of taken) {
    const [one, other] = [from.steps[index], to.steps[index]];
    if (one?.name !== other?.name || one?.action.kind !== other?.action.kind) return one?.name ?? step;
  }
  const at = from.body.steps.findIndex(({ name }) => name === step);
  return to.body.steps[at]?.name === step ? undefined : step;
}

function goesOn(to: LoadedPlan, before: RunState, after: RunState, anew: readonly LiveStep[]): Migration {
  for (const step of anew) {
    const lingers = [...before.attempts.values(), ...after.attempts.values()].some(
      ({ id }) => id.step === step.path && id.phase === step.phase,
    );
    if (lingers) return { kind: "busy", step: step.path };
    if (![...after.incidents].some((other) => nameOfStep(other) === nameOfStep(step))) {
      const text = "its version waits there for a person, the other one does not";
      return { kind: "differs", sequence: before.lastSequence, step: step.path, text };
    }
  }
  const steps = anew.map((step) => ({ step: step.path, compensation: step.phase === Phase.COMPENSATE }));
  return { kind: "can", at: placeOf(to, after).step, anew: steps, drops: dropsOf(to, before) };
}

/** What waits to be taken, and would not be there any more, by the names of the signals. */
function dropsOf(to: LoadedPlan, { signals }: RunState): readonly DroppedSignals[] {
  const unknown = signals.filter(({ name }) => typeOf(to, name) === undefined);
  return [...Map.groupBy(unknown, ({ name }) => name)].map(([name, { length }]) => ({ name, count: length }));
}

function typeOf({ signals }: LoadedPlan, name: string): string | undefined {
  return signals.find((signal) => signal.name === name)?.type;
}

function isCall({ call, verifies }: LiveStep): boolean {
  return call !== undefined && verifies === undefined;
}

function nameOfStep({ path, phase }: LiveStep): string {
  return `${path}/${phase}`;
}

function firstDifference(
  asked: readonly Command[],
  other: readonly Command[],
  mayDiffer: (attempt: AttemptId) => boolean,
): { readonly step: string; readonly text: string } | undefined {
  for (let at = 0; at < Math.max(asked.length, other.length); at++) {
    const one = asked[at];
    const two = other[at];
    if (
      one !== undefined &&
      two !== undefined &&
      (isSame(one, two) || (isSameAttempt(one, two) && mayDiffer(two.attempt)))
    )
      continue;
    const step = stepOf(one) || stepOf(two);
    return { step, text: `its version asks for ${nameOf(one)}, the other one for ${nameOf(two, one)}` };
  }
  return undefined;
}

/** The same attempt is begun, or ended, whatever it sends. */
function isSameAttempt(one: Command, other: Command): other is PublishTask | CloseAttempt {
  const isAttempt = other.kind === "publishTask" || other.kind === "closeAttempt";
  return isAttempt && one.kind === other.kind && isSame(one.attempt, other.attempt);
}

function nameOf(command: Command | undefined, like?: Command): string {
  if (command === undefined) return "nothing";
  const step = stepOf(command);
  const name = `${wordsOf(command)}${step === "" ? "" : ` of ${step}`}`;
  return like !== undefined && like.kind === command.kind && stepOf(like) === step
    ? `${name} with other content`
    : name;
}

function wordsOf(command: Command): string {
  switch (command.kind) {
    case "publishTask":
      return `a call of ${command.method}`;
    case "closeAttempt":
      return "an end of a call";
    case "armTimer":
      return `timer ${command.number}`;
    case "cancelTimer":
      return `no timer ${command.number}`;
    case "endRun":
      return "its end";
    case "startChild":
      return "a child run";
    case "stopChild":
      return "a stop of a child run";
    case "tellParent":
      return "an answer to its parent";
    case "emitMessage":
      return "a message";
    case "requestLock":
    case "releaseLock":
    case "grantLock":
      return `lock ${command.lock}`;
    case "deleteRun":
      return "its deletion";
    case "startRerun":
      return "a rerun";
  }
}

function stepOf(command: Command | undefined): string {
  if (command === undefined) return "";
  if ("at" in command) return command.at.step;
  return "attempt" in command ? command.attempt.step : "";
}

/** Equal data, bytes by their values. */
function isSame(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return false;
  if (one instanceof Uint8Array && other instanceof Uint8Array)
    return one.length === other.length && one.every((byte, at) => byte === other[at]);
  const left = Object.entries(one);
  const right = new Map(Object.entries(other));
  return left.length === right.size && left.every(([key, value]) => right.has(key) && isSame(value, right.get(key)));
}
