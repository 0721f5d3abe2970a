import type { AttemptId } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { attemptKey } from "../../../proto/wire/attempt.ts";
import { advance } from "../engine/advance.ts";
import type { Turn } from "../engine/advance.ts";
import type { Command, StepName } from "../engine/command.ts";
import { advanceLock, lockHolderName } from "../engine/lock.ts";
import type { LockState } from "../engine/lock.ts";
import type { LogRecord } from "../engine/record.ts";
import { attemptName } from "../engine/state.ts";
import type { RunState } from "../engine/state.ts";
import { aboutRun } from "./aboutRun.ts";
import { cancelExpiry, execute } from "./execute.ts";
import type { Ownership } from "./ownership.ts";
import type { ResidentRun } from "./residentRun.ts";
import { noteSnapshot, sumUp, sumUpLock } from "./summingUp.ts";

/** What a record is folded for. */
export interface Purpose {
  /** The trace has not been told of it. */
  readonly isNews: boolean;
  /** `execute`: its commands are to be carried out. `collect`: the caller does. `forget`: they have been. */
  readonly commands: "execute" | "collect" | "forget";
}

/** To know the state of a run. */
export const replay: Purpose = { isNews: false, commands: "forget" };
/** To take over: the caller carries out what is still wanted at the end. */
export const collected: Purpose = { isNews: true, commands: "collect" };
/** To move it on. */
export const live: Purpose = { isNews: true, commands: "execute" };

const requestsKept = 1000;

/** A command and the log time of the event that asked for it. */
export interface Issued {
  readonly command: Command;
  readonly atMs: number;
}

/**
 * Folds a record into a run that is ready and, live, hands its commands out. Undefined when it has been folded before. A fold that fails
 * parks the run as corrupt: others go on.
 */
export function takeTurn(owner: Ownership, run: ResidentRun, record: LogRecord, purpose: Purpose): Turn | undefined {
  const { state, plan, lock } = run;
  if (lock !== undefined) return takeLockTurn(owner, run, lock, record, purpose);
  if (state === undefined || plan === undefined || record.sequence <= state.lastSequence) return undefined;
  const settled = purpose.commands === "forget" ? [] : expiriesSettledBy(state, record);
  let turn: Turn;
  try {
    turn = advance(plan, state, record);
  } catch (error) {
    park(owner, run, record.sequence, error);
    return undefined;
  }
  noteRequest(run, record, turn);
  noteSnapshot(owner, run, record);
  if (purpose.isNews) {
    owner.counts.turns++;
    owner.observer.turn({ runId: run.runId, partition: owner.partition, plan, state }, record, turn);
  }
  for (const attempt of settled) {
    if (state.ended !== undefined || !state.attempts.has(attemptName(attempt)))
      cancelExpiry(owner, run, attempt, record.sequence);
  }
  if (purpose.commands === "execute") {
    executeAll(owner, run, record, turn);
    sumUp(owner, run);
  }
  return turn;
}

function takeLockTurn(
  owner: Ownership,
  run: ResidentRun,
  lock: LockState,
  record: LogRecord,
  purpose: Purpose,
): Turn | undefined {
  if (record.sequence <= lock.lastSequence) return undefined;
  const turn = advanceLock(lock, record);
  noteSnapshot(owner, run, record);
  if (purpose.isNews) owner.counts.turns++;
  if (purpose.commands === "execute") {
    executeAll(owner, run, record, turn);
    sumUpLock(owner, run, lock);
  }
  return turn;
}

function executeAll(owner: Ownership, run: ResidentRun, { sequence, storedMs }: LogRecord, turn: Turn): void {
  for (const command of turn.commands) {
    execute(owner, run, command, { hold: sequence, atMs: storedMs, recheck: false });
  }
}

/** Leaves a run alone whose own fold fails. */
export function park(owner: Ownership, run: ResidentRun, sequence: number, error: unknown): void {
  run.phase = "corrupt";
  owner.counts.corruptRuns++;
  owner.logger.error("a run can't be folded and is left alone", { ...aboutRun(run), sequence, error });
}

/** Closed attempts whose scheduled end this record makes needless: the one whose outcome it is, all of them at the end of the run. */
function expiriesSettledBy(state: RunState, { fact }: LogRecord): readonly AttemptId[] {
  if (state.attempts.size === 0) return [];
  if (fact.kind === "outcome") {
    const attempt =
      fact.authentic && fact.outcome.attempt !== undefined
        ? state.attempts.get(attemptName(fact.outcome.attempt))
        : undefined;
    return attempt?.close === undefined ? [] : [attempt.id];
  }
  if (fact.event.kind?.$case !== "runEnded") return [];
  return [...state.attempts.values()].filter(({ close }) => close !== undefined).map(({ id }) => id);
}

function noteRequest(run: ResidentRun, { sequence, fact }: LogRecord, turn: Turn): void {
  if (fact.kind !== "event") return;
  switch (fact.event.kind?.$case) {
    case "cancelRequested":
    case "terminateRequested":
    case "retryRequested":
    case "failRequested":
    case "signalReceived":
    case "decisionMade":
    case "skipRequested":
    case "patchRequested":
    case "compensateRequested":
    case "pauseRequested":
    case "resumeRequested":
    case "deleteRequested":
    case "rerunRequested":
    case "migrated": {
      const requests = (run.requests ??= new Map());
      requests.set(sequence, { ignored: turn.ignored, refusal: turn.refusal });
      for (const oldest of requests.keys()) {
        if (requests.size <= requestsKept) break;
        requests.delete(oldest);
      }
      break;
    }
    case "runStarted":
    case "timerFired":
    case "attemptExpired":
    case "commandRejected":
    case "commandDeferred":
    case "runEnded":
    case "childStarted":
    case "childRefused":
    case "childEnded":
    case "lockGranted":
    case "emitted":
    case "snapshot":
    case "lockRequested":
    case "lockReleased":
    case undefined:
      break;
  }
}

/** What a command is about: a later one of the same name takes its place. */
export function commandName(runId: string, command: Command): string {
  switch (command.kind) {
    case "publishTask":
      return `task ${attemptKey(runId, command.attempt)}`;
    case "closeAttempt":
      return `close ${attemptKey(runId, command.attempt)}`;
    case "armTimer":
      return `timer ${command.number}`;
    case "cancelTimer":
      return `cancel ${command.number}`;
    case "endRun":
      return "end";
    case "startChild":
      return `start ${stepOf(command)}`;
    case "stopChild":
      return `${command.how} child ${stepOf(command)}`;
    case "tellParent":
      return "tell parent";
    case "deleteRun":
      return "delete";
    case "startRerun":
      return "rerun";
    case "emitMessage":
      return `emit ${stepOf(command)}`;
    case "requestLock":
      return `request lock ${stepOf(command)}`;
    case "releaseLock":
      return `release lock ${stepOf(command)}`;
    case "grantLock":
      return `grant ${lockHolderName(command.holder)}`;
  }
}

function stepOf({ at }: { readonly at: StepName }): string {
  return `${at.step}/g${at.generation}`;
}
