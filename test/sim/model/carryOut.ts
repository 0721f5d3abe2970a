import type { Command, EmitMessage, StartRerun } from "../../../orchestrator/src/engine/command.ts";
import type { CommandRejected } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { toHex } from "../../../proto/wire/runId.ts";
import { attemptKey } from "../../../proto/wire/attempt.ts";
import { checkTask } from "../rules/run.ts";
import { carryOutInLogs } from "../../../testing/src/partition/carryOut.ts";
import { inChain } from "../../../testing/src/partition/chains.ts";
import { stepOf } from "../../../testing/src/partition/commandName.ts";
import type { Carrier } from "../../../testing/src/partition/ground.ts";
import type { SimCarrier, SimGround } from "./ground.ts";
import { publish, strikes } from "./world.ts";

/** Makes a command durable; `done` when it is. */
export function carryOut(
  ground: SimGround,
  by: SimCarrier,
  runId: string,
  command: Command,
  recheck: boolean,
  done: () => void,
): void {
  const { world, log, queue, timers } = ground;
  const { clock, broken } = world;
  const { isAlive } = by;
  switch (command.kind) {
    case "publishTask": {
      const key = attemptKey(runId, command.attempt);
      const store = (): void => queue.store(runId, key, command, recheck || command.isReissue);
      checkTask(world, ground.published, key, command);
      if (!fails(ground, by, runId, { $case: "task", value: command.attempt }, command, store, done))
        publish(world, isAlive, store, done);
      return;
    }
    case "armTimer": {
      const { number, dueMs } = command;
      const name = `${runId}/${number}`;
      const fire = (): void =>
        void log.appendEvent(runId, `fired/${name}/${clock.now}`, { $case: "timerFired", value: { number, dueMs } });
      inChain(by.chains, name, (next) =>
        publish(world, isAlive, () => timers.arm(name, dueMs, fire), bothOf(done, next)),
      );
      return;
    }
    case "cancelTimer": {
      const name = `${runId}/${command.number}`;
      // Behind the arming of it, however long that takes.
      inChain(by.chains, name, (next) => publish(world, isAlive, () => timers.cancel(name), bothOf(done, next)));
      return;
    }
    case "closeAttempt": {
      const key = attemptKey(runId, command.attempt);
      if (!ground.closedAt.has(key)) ground.closedAt.set(key, clock.now);
      ground.reset(runId, command.attempt);
      if (broken.has("no end of a closed attempt")) {
        done();
        return;
      }
      const name = `x/${key}`;
      const event = { $case: "attemptExpired", value: { attempt: command.attempt } } as const;
      const dueMs = clock.now + 2_000 + command.timeoutMs + 5_000;
      publish(world, isAlive, () => timers.arm(name, dueMs, () => void log.appendEvent(runId, name, event)), done);
      return;
    }
    case "endRun": {
      // A person's request comes just before the end.
      if (strikes(world, 0.05)) {
        const value = { reason: "", actor: "", requestId: "" };
        clock.after(0, () => log.appendEvent(runId, `cancel/${runId}`, { $case: "cancelRequested", value }));
      }
      const event = { $case: "runEnded", value: command.ended } as const;
      const expected = broken.has("end appended without expectation") ? undefined : command.expectedEvent;
      publish(
        world,
        isAlive,
        () => log.appendEvent(runId, `end/${runId}/${command.expectedEvent}`, event, expected),
        done,
      );
      return;
    }
    case "emitMessage":
      emit(ground, by, runId, command, done);
      return;
    case "startChild":
      if (!fails(ground, by, runId, { $case: "child", value: { ...command.at } }, command, undefined, done))
        carryOutInLogs(ground, by, runId, command, done);
      return;
    case "requestLock":
      if (!fails(ground, by, runId, { $case: "lock", value: { ...command.at } }, command, undefined, done))
        carryOutInLogs(ground, by, runId, command, done);
      return;
    case "stopChild":
    case "tellParent":
    case "releaseLock":
    case "grantLock":
      carryOutInLogs(ground, by, runId, command, done);
      return;
    case "startRerun":
      startRerun(ground, by, runId, command, done);
      return;
    // That it is gone from the log is what the stack plays.
    case "deleteRun":
      done();
  }
}

function bothOf(first: () => void, second: () => void): () => void {
  return () => {
    first();
    second();
  };
}

/** The first start of the run that goes on in place of this one counts. */
function startRerun(
  { world, engine, log, plans }: SimGround,
  by: SimCarrier,
  runId: string,
  command: StartRerun,
  done: () => void,
): void {
  const [plan, state] = [plans.get(runId), by.stateOf(runId)];
  if (plan === undefined || state === undefined) return done();
  const value = engine.rerunStart(plan, state, command, world.clock.now);
  if (value === undefined) {
    world.violations.push(`no run can go on in place of ${runId}`);
    return done();
  }
  const next = toHex(command.runId);
  const store = (): unknown => {
    if (log.first(next) === undefined) plans.set(next, plan);
    return log.appendEvent(next, `start/${next}`, { $case: "runStarted", value }, 0);
  };
  publish(world, by.isAlive, store, done);
}

/** The command is rejected or deferred, which its run is told; what became of it before that is chance, where there is a `store`. */
function fails(
  { world, log }: SimGround,
  { isAlive }: Carrier,
  runId: string,
  command: NonNullable<CommandRejected["command"]>,
  { issuedAt }: Command,
  store: (() => void) | undefined,
  done: () => void,
): boolean {
  const { faults, random } = world;
  const fate = strikes(world, faults.rejects)
    ? "commandRejected"
    : strikes(world, faults.defers)
      ? "commandDeferred"
      : undefined;
  if (fate === undefined) return false;
  if (store !== undefined && random.chance(0.5)) store();
  const value = { command, reason: "fault" } as const;
  const event =
    fate === "commandRejected"
      ? ({ $case: fate, value } as const)
      : ({ $case: fate, value: { ...value, held: false, drift: false } } as const);
  const id = `${fate}/${runId}/${command.$case}/${issuedAt}/${random.next()}`;
  publish(world, isAlive, () => log.appendEvent(runId, id, event), done);
  return true;
}

/** Into the user's stream, then told. */
function emit(ground: SimGround, by: Carrier, runId: string, command: EmitMessage, done: () => void): void {
  const { world, log, messages, isDoubleMessage } = ground;
  const id = `${runId}/${stepOf(command)}`;
  const store = (): void => {
    if (!isDoubleMessage(id)) messages.push({ id, runId, step: command.at.step, storedAt: world.clock.now });
  };
  if (fails(ground, by, runId, { $case: "emit", value: { ...command.at } }, command, store, done)) return;
  publish(world, by.isAlive, store, () => {
    const event = { $case: "emitted", value: { step: { ...command.at } } } as const;
    publish(world, by.isAlive, () => log.appendEvent(runId, `${id}/emitted`, event), done);
  });
}
