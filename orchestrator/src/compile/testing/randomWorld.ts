import type { DescMessage } from "@bufbuild/protobuf";
import { AttemptId_Phase } from "../../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Event, RunEnded } from "../../../../proto/gen/sidestep/internal/v1/event.ts";
import { ErrorInfo } from "../../../../proto/gen/sidestep/internal/v1/rpc.ts";
import type { RpcStatus } from "../../../../proto/gen/sidestep/internal/v1/rpc.ts";
import { Run_State } from "../../../../proto/gen/sidestep/v1/run.ts";
import { code } from "../../../../proto/wire/status.ts";
import { advance } from "../../engine/advance.ts";
import type { Command, PublishTask } from "../../engine/command.ts";
import type { LoadedPlan } from "../../engine/plan.ts";
import type { LogRecord } from "../../engine/record.ts";
import { newRun } from "../../engine/state.ts";
import type { RunState } from "../../engine/state.ts";
import { eventAt, makeFailure, makeStarted, outcomeAt, testRunId } from "../../engine/testing/records.ts";
import { epochMs } from "../../engine/testing/expression.ts";
import type { Transition } from "../../engine/transition.ts";
import type { Vocabulary } from "./making.ts";
import type { Random } from "./random.ts";
import { randomBytes } from "./randomMessage.ts";

/** What became of a run. */
export interface RandomRun {
  readonly ended: RunEnded;
  readonly transitions: readonly Transition[];
}

const turnsMax = 4_000;

/**
 * Runs a plan over `words` in the engine, in a world of chance: services answer, refuse, or leave it open whether they did anything; children end
 * well or not, signals come, people approve and reject, time passes. What undoes something succeeds. Throws when the run doesn't end.
 */
export function runAtRandom(plan: LoadedPlan, words: Vocabulary, random: Random): RandomRun {
  const state = newRun(testRunId);
  const tasks: PublishTask[] = [];
  const told: NonNullable<Event["kind"]>[] = [];
  const timers = new Map<number, number>();
  const transitions: Transition[] = [];
  const carryOut = (command: Command): void => {
    if (command.kind === "publishTask") tasks.push(command);
    else if (command.kind === "armTimer") timers.set(command.number, command.dueMs);
    else if (command.kind === "cancelTimer") timers.delete(command.number);
    else told.push(...answersTo(command, words, random));
  };
  let nowMs = 0;
  let next = eventAt(1, 0, {
    $case: "runStarted",
    value: makeStarted({ request: randomBytes(words.everything, random) }),
  });
  for (let sequence = 2; sequence < turnsMax; sequence++) {
    const turn = advance(plan, state, next);
    transitions.push(...turn.transitions);
    for (const command of turn.commands) carryOut(command);
    if (state.ended !== undefined) return { ended: state.ended, transitions };
    const waiting = random.chance(0.5) ? waitingFor(state, sequence, words.part, random) : undefined;
    const task = tasks.splice(random.below(tasks.length), 1)[0];
    const event = told.shift();
    if (event !== undefined && task !== undefined) tasks.push(task);
    if (event !== undefined) next = eventAt(sequence, nowMs, event);
    else if (task !== undefined) next = outcomeOf(task, sequence, nowMs, words, random);
    else if (waiting !== undefined) next = eventAt(sequence, nowMs, waiting);
    else {
      const [timer] = [...timers].toSorted(([, a], [, b]) => a - b);
      if (timer === undefined) {
        const late = waitingFor(state, sequence, words.part, random);
        if (late === undefined) throw new Error("the run waits for something that never comes");
        next = eventAt(sequence, nowMs, late);
        continue;
      }
      const [number, dueMs] = timer;
      timers.delete(number);
      nowMs = Math.max(nowMs, dueMs - epochMs);
      next = eventAt(sequence, nowMs, { $case: "timerFired", value: { number, dueMs } });
    }
  }
  throw new Error("the run does not end");
}

/** Did an expression fail, whether something caught that or not? */
export function expressionFailures({ ended, transitions }: RandomRun): readonly string[] {
  const statuses = transitions.map((one) => ("status" in one ? one.status : undefined));
  return [...statuses, ended.status].flatMap((status) =>
    status !== undefined && isOfExpression(status) ? [status.message] : [],
  );
}

function isOfExpression({ details }: RpcStatus): boolean {
  return details.some(
    ({ typeUrl, value }) =>
      typeUrl.endsWith("/google.rpc.ErrorInfo") && ErrorInfo.decode(value).reason === "EXPRESSION",
  );
}

function answersTo(
  command: Exclude<Command, { readonly kind: "publishTask" | "armTimer" | "cancelTimer" }>,
  words: Vocabulary,
  random: Random,
): readonly NonNullable<Event["kind"]>[] {
  switch (command.kind) {
    case "closeAttempt":
      return [{ $case: "attemptExpired", value: { attempt: command.attempt } }];
    case "endRun":
      return [{ $case: "runEnded", value: command.ended }];
    case "startChild": {
      const started = { step: command.at, runId: new Uint8Array(16) };
      if (command.detach) return [{ $case: "childStarted", value: started }];
      return [{ $case: "childEnded", value: { ...started, ended: endOfChild(words.everything, random) } }];
    }
    case "emitMessage":
      return [{ $case: "emitted", value: { step: command.at } }];
    case "requestLock":
      return [{ $case: "lockGranted", value: { step: command.at, lock: command.lock } }];
    case "stopChild":
    case "tellParent":
    case "releaseLock":
    case "deleteRun":
    case "startRerun":
    case "grantLock":
      return [];
  }
}

function endOfChild(response: DescMessage, random: Random): RunEnded {
  const nothing = { response: new Uint8Array(), status: undefined, step: "", responsePayload: undefined };
  if (random.chance(0.2)) {
    const status = { code: code.OUT_OF_RANGE, message: "the child failed", details: [] };
    return { ...nothing, state: Run_State.COMPENSATED, status };
  }
  return { ...nothing, state: Run_State.COMPLETED, response: randomBytes(response, random) };
}

function outcomeOf(task: PublishTask, sequence: number, nowMs: number, words: Vocabulary, random: Random): LogRecord {
  const isForward = task.attempt.phase === AttemptId_Phase.FORWARD;
  const outcome = (kind: Parameters<typeof outcomeAt>[3]): LogRecord => outcomeAt(sequence, nowMs, task.attempt, kind);
  if (isForward && random.chance(0.08)) {
    return outcome({ $case: "failed", value: makeFailure("OUT_OF_RANGE", "refused") });
  }
  if (isForward && random.chance(0.1)) {
    return outcome({ $case: "failed", value: makeFailure("UNAVAILABLE", "the connection broke", { origin: 1 }) });
  }
  const response = task.method.endsWith("/Pick") ? words.part : words.everything;
  return outcome({ $case: "completed", value: randomBytes(response, random) });
}

/** A signal or a decision that some step waits for. */
function waitingFor(
  state: RunState,
  sequence: number,
  part: DescMessage,
  random: Random,
): NonNullable<Event["kind"]> | undefined {
  const open = [...state.steps].filter(
    ([, { plan, endedMs }]) => endedMs === 0 && (plan.action.kind === "signal" || plan.action.kind === "approve"),
  );
  if (open.length === 0) return undefined;
  const [path, { plan }] = random.pick(open);
  const bytes = randomBytes(part, random);
  if (plan.action.kind === "signal") {
    const value = { name: plan.action.signal.name, payload: bytes, id: String(sequence), actor: "" };
    return { $case: "signalReceived", value };
  }
  const decision = {
    approved: random.chance(0.6),
    form: bytes,
    by: "ann",
    comment: "so be it",
    requestId: "",
    actor: "",
  };
  return { $case: "decisionMade", value: { ...decision, step: path } };
}
