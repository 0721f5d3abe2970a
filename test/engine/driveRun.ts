import type { Event } from "../../proto/gen/sidestep/internal/v1/event.ts";
import { Run_State } from "../../proto/gen/sidestep/v1/run.ts";
import { advance } from "../../orchestrator/src/engine/advance.ts";
import type { Command } from "../../orchestrator/src/engine/command.ts";
import { describeRun } from "../../orchestrator/src/engine/describe.ts";
import type { LoadedPlan } from "../../orchestrator/src/engine/plan.ts";
import { newRun } from "../../orchestrator/src/engine/state.ts";
import type { RunState } from "../../orchestrator/src/engine/state.ts";
import { epochMs } from "../../orchestrator/src/engine/testing/expression.ts";
import { eventAt, makeStarted, outcomeAt, testRunId } from "../../orchestrator/src/engine/testing/records.ts";

/** What came of a run that was driven to its end. */
export interface DrivenRun {
  readonly state: RunState;
  /** Methods called, in the order in which the engine asked for them. */
  readonly calls: readonly string[];
}

const turnsMax = 1_000;
const nobody = { actor: "", reason: "", requestId: "" };

/**
 * Drives a run by the engine alone, in a world where everything goes well: each call is answered at once by an empty message, each child
 * completes, each lock is free, each message is stored; a signal that is waited for comes when nothing else is left to happen, and after
 * that a timer fires. Throws when the run does not end.
 */
export function driveRun(plan: LoadedPlan, request: Uint8Array): DrivenRun {
  const state = newRun(testRunId);
  const calls: string[] = [];
  const timers = new Map<number, number>();
  const pending: NonNullable<Event["kind"]>[] = [];
  const tasks: Extract<Command, { readonly kind: "publishTask" }>[] = [];
  let sequence = 0;
  let nowMs = 0;
  const carryOut = (command: Command): void => {
    switch (command.kind) {
      case "publishTask":
        calls.push(command.method);
        tasks.push(command);
        return;
      case "armTimer":
        timers.set(command.number, command.dueMs);
        return;
      case "cancelTimer":
        timers.delete(command.number);
        return;
      case "closeAttempt":
        pending.push({ $case: "attemptExpired", value: { attempt: command.attempt } });
        return;
      case "endRun":
        pending.push({ $case: "runEnded", value: command.ended });
        return;
      case "startChild":
        pending.push(
          command.detach
            ? { $case: "childStarted", value: { step: command.at, runId: new Uint8Array(16) } }
            : { $case: "childEnded", value: { step: command.at, runId: new Uint8Array(16), ended: completed } },
        );
        return;
      case "emitMessage":
        pending.push({ $case: "emitted", value: { step: command.at } });
        return;
      case "requestLock":
        pending.push({ $case: "lockGranted", value: { step: command.at, lock: command.lock } });
        return;
      case "stopChild":
      case "tellParent":
      case "releaseLock":
      case "grantLock":
        return;
    }
  };
  const take = (record: Parameters<typeof advance>[2]): void => advance(plan, state, record).commands.forEach(carryOut);
  const event = (kind: Event["kind"]): void => take(eventAt(++sequence, nowMs, kind));

  event({ $case: "runStarted", value: makeStarted({ request }) });
  for (let turn = 0; state.ended === undefined; turn++) {
    if (turn > turnsMax) throw new Error("the run does not end");
    const task = tasks.shift();
    if (task !== undefined) {
      take(outcomeAt(++sequence, nowMs, task.attempt, { $case: "completed", value: new Uint8Array() }));
      continue;
    }
    const told = pending.shift();
    if (told !== undefined) {
      event(told);
      continue;
    }
    const signal = awaitedSignal(plan, state);
    const approval = describeRun(plan, state).approvals[0]?.step;
    if (signal !== undefined) {
      const value = { name: signal, payload: new Uint8Array(), id: String(sequence), actor: "" };
      event({ $case: "signalReceived", value });
    } else if (approval !== undefined) {
      const value = { step: approval, approved: true, form: new Uint8Array(), by: "ann", comment: "", ...nobody };
      event({ $case: "decisionMade", value });
    } else nowMs = fireNext(timers, nowMs, event);
  }
  return { state, calls };
}

const completed = {
  state: Run_State.COMPLETED,
  response: new Uint8Array(),
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
