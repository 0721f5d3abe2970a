import type { AttemptId, Event, RunStarted } from "../../proto/gen/sidestep/internal/v1/event.ts";
import type { Outcome } from "../../proto/gen/sidestep/internal/v1/task.ts";
import { Run_State } from "../../proto/gen/sidestep/v1/run.ts";
import { advance } from "../../orchestrator/src/engine/advance.ts";
import type { Command } from "../../orchestrator/src/engine/command.ts";
import { describeRun } from "../../orchestrator/src/engine/describe.ts";
import type { LoadedPlan } from "../../orchestrator/src/engine/plan.ts";
import type { LogRecord } from "../../orchestrator/src/engine/record.ts";
import { newRun } from "../../orchestrator/src/engine/state.ts";
import type { RunState } from "../../orchestrator/src/engine/state.ts";
import { epochMs } from "../../orchestrator/src/engine/testing/expression.ts";
import { eventAt, makeStarted, outcomeAt, testRunId } from "../../orchestrator/src/engine/testing/records.ts";

/** What came of a run that was driven to its end. */
export interface DrivenRun {
  readonly state: RunState;
  /** Methods called, in the order in which the engine asked for them. */
  readonly calls: readonly string[];
  /** The run's log. */
  readonly records: readonly LogRecord[];
}

/** Where the world is not as good as it could be. */
export interface World {
  /** What comes in place of the good outcome of a command; undefined: that one. */
  readonly tell?: (command: Command) => readonly Said[] | undefined;
  /** Of signals, filled-in forms and answers of calls and children; empty unless given. */
  readonly message?: Uint8Array;
  /** What people do, one after the other, when the run is held or has an incident and nothing is under way. */
  readonly people?: readonly NonNullable<Event["kind"]>[];
  /** What comes after the run's end. */
  readonly afterEnd?: readonly NonNullable<Event["kind"]>[];
  /** In place of a start with the request. */
  readonly started?: RunStarted | undefined;
}

/** An event, or how a call ended. */
export type Said = NonNullable<Event["kind"] | Outcome["kind"]>;

const turnsMax = 1_000;
const nobody = { actor: "", reason: "", requestId: "" };

/**
 * Drives a run by the engine alone, in a world where everything goes well unless it says otherwise: each call is answered at once, each child
 * completes, each lock is free, each message is stored; a signal that is waited for comes when nothing else is left to happen, and after
 * that a timer fires. Throws when the run does not end.
 */
export function driveRun(plan: LoadedPlan, request: Uint8Array, world: World = {}): DrivenRun {
  const { message = new Uint8Array() } = world;
  const state = newRun(testRunId);
  const calls: string[] = [];
  const records: LogRecord[] = [];
  const timers = new Map<number, number>();
  const pending: NonNullable<Event["kind"]>[] = [];
  const tasks: { readonly attempt: AttemptId; readonly said: readonly Said[] }[] = [];
  const people = [...(world.people ?? [])];
  let nowMs = 0;
  // A partition has other runs between.
  const next = (): number => 10 * (records.length + 1);
  const carryOut = (command: Command): void => {
    const told = world.tell?.(command);
    if (command.kind === "publishTask") {
      calls.push(command.method);
      tasks.push({ attempt: command.attempt, said: told ?? [{ $case: "completed", value: message }] });
    } else if (told !== undefined) pending.push(...told.filter(isEvent));
    else if (command.kind === "armTimer") timers.set(command.number, command.dueMs);
    else if (command.kind === "cancelTimer") timers.delete(command.number);
    else {
      const good = goodOutcome(command, message);
      if (good !== undefined) pending.push(good);
    }
  };
  const take = (record: LogRecord): void => {
    records.push(record);
    advance(plan, state, record).commands.forEach(carryOut);
  };
  const event = (kind: Event["kind"]): void => take(eventAt(next(), nowMs, kind));

  event({ $case: "runStarted", value: world.started ?? makeStarted({ request }) });
  for (let turn = 0; state.ended === undefined; turn++) {
    if (turn > turnsMax) throw new Error("the run does not end");
    const task = tasks.shift();
    if (task !== undefined) {
      for (const said of task.said) {
        if (isEvent(said)) event(said);
        else take(outcomeAt(next(), nowMs, task.attempt, said));
      }
      continue;
    }
    const shown = describeRun(plan, state);
    const told = pending.shift() ?? (shown.held || shown.incidents.length > 0 ? people.shift() : undefined);
    if (told !== undefined) {
      event(told);
      continue;
    }
    const signal = awaitedSignal(plan, state);
    const approval = shown.approvals[0]?.step;
    if (signal !== undefined) {
      const value = { name: signal, payload: message, id: String(records.length), actor: "" };
      event({ $case: "signalReceived", value });
    } else if (approval !== undefined) {
      const value = { step: approval, approved: true, form: message, by: "ann", comment: "", ...nobody };
      event({ $case: "decisionMade", value });
    } else nowMs = fireNext(timers, nowMs, event);
  }
  for (const kind of world.afterEnd ?? []) event(kind);
  return { state, calls, records };
}

const outcomes: ReadonlySet<string> = new Set(["completed", "failed", "started", "inDoubt"]);

function isEvent(said: Said): said is NonNullable<Event["kind"]> {
  return !outcomes.has(said.$case);
}

/** The event that settles a command when all goes well. */
function goodOutcome(
  command: Exclude<Command, { readonly kind: "publishTask" | "armTimer" | "cancelTimer" }>,
  response: Uint8Array,
): Event["kind"] {
  const runId = new Uint8Array(16);
  switch (command.kind) {
    case "closeAttempt":
      return { $case: "attemptExpired", value: { attempt: command.attempt } };
    case "endRun":
      return { $case: "runEnded", value: command.ended };
    case "startChild":
      return command.detach
        ? { $case: "childStarted", value: { step: command.at, runId } }
        : { $case: "childEnded", value: { step: command.at, runId, ended: { ...completed, response } } };
    case "emitMessage":
      return { $case: "emitted", value: { step: command.at } };
    case "requestLock":
      return { $case: "lockGranted", value: { step: command.at, lock: command.lock } };
    case "stopChild":
    case "tellParent":
    case "releaseLock":
    case "grantLock":
    case "deleteRun":
    case "startRerun":
      return undefined;
  }
}

const completed = {
  state: Run_State.COMPLETED,
  status: undefined,
  step: "",
  responsePayload: undefined,
};

/** Name of a signal that a step waits for. */
function awaitedSignal(plan: LoadedPlan, state: RunState): string | undefined {
  for (const step of state.steps.values()) {
    const { action } = step.plan;
    if (action.kind === "signal" && step.endedMs === 0 && plan.plan.workflow !== "") return action.signal.name;
  }
  return undefined;
}

/** The earliest timer fires; returns its time. */
function fireNext(timers: Map<number, number>, nowMs: number, event: (kind: Event["kind"]) => void): number {
  const [next] = [...timers].toSorted(([, a], [, b]) => a - b);
  if (next === undefined) throw new Error("the run waits for something that never comes");
  const [number, dueMs] = next;
  timers.delete(number);
  const atMs = Math.max(nowMs, dueMs - epochMs);
  event({ $case: "timerFired", value: { number, dueMs } });
  return atMs;
}
