import type { Command, EmitMessage, StartRerun, StepName } from "../../../orchestrator/src/engine/command.ts";
import { lockHolderName } from "../../../orchestrator/src/engine/lock.ts";
import type { CommandRejected } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { toHex } from "../../../proto/wire/runId.ts";
import { attemptKey } from "../../../proto/wire/attempt.ts";
import { checkTask } from "../rules/run.ts";
import { inChain } from "./chains.ts";
import { startChild, stopChild, tellParent } from "./children.ts";
import type { Carrier, Ground } from "./ground.ts";
import { grantLock, tellLock } from "./locks.ts";
import { publish, strikes } from "./world.ts";

/** Equal for the same command, whenever it was asked for. */
export function commandName(runId: string, command: Command): string {
  switch (command.kind) {
    case "publishTask":
      return `task ${attemptKey(runId, command.attempt)}`;
    case "closeAttempt":
      return `close ${attemptKey(runId, command.attempt)}`;
    case "armTimer":
      return `timer ${runId}/${command.number}`;
    case "cancelTimer":
      return `cancel ${runId}/${command.number}`;
    case "endRun":
      return `end ${runId}`;
    case "startChild":
      return `start ${runId}/${stepOf(command)}`;
    case "stopChild":
      return `${command.how} ${runId}/${stepOf(command)}`;
    case "tellParent":
      return `tell the parent of ${runId}`;
    case "emitMessage":
      return `emit ${runId}/${stepOf(command)}`;
    case "requestLock":
      return `request lock ${runId}/${stepOf(command)}`;
    case "releaseLock":
      return `release lock ${runId}/${stepOf(command)}`;
    case "grantLock":
      return `grant ${command.lock} ${lockHolderName(command.holder)}`;
    case "deleteRun":
      return `delete ${runId}`;
    case "startRerun":
      return `rerun ${runId}`;
  }
}

function stepOf({ at }: { readonly at: StepName }): string {
  return `${at.step}/${at.generation}`;
}

/** Makes a command durable; `done` when it is. */
export function carryOut(
  ground: Ground,
  by: Carrier,
  runId: string,
  command: Command,
  recheck: boolean,
  done: () => void,
): void {
  const { world, log, queue, timers } = ground;
  const { clock, random, broken } = world;
  const { isAlive } = by;
  switch (command.kind) {
    case "publishTask": {
      const key = attemptKey(runId, command.attempt);
      const id = broken.has("new message id at each publish") ? `${key}/${clock.now}/${random.next()}` : key;
      const store = (): void => queue.store(runId, id, command, recheck || command.isReissue);
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
        startChild(ground, by, runId, command, done);
      return;
    case "stopChild":
      stopChild(ground, by, runId, command, done);
      return;
    case "tellParent":
      tellParent(ground, by, runId, command, done);
      return;
    case "requestLock":
      if (!fails(ground, by, runId, { $case: "lock", value: { ...command.at } }, command, undefined, done))
        tellLock(ground, by, runId, command, done);
      return;
    case "releaseLock":
      tellLock(ground, by, runId, command, done);
      return;
    case "grantLock":
      grantLock(ground, by, command, done);
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
  { world, engine, log, plans }: Ground,
  by: Carrier,
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
  { world, log }: Ground,
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
      : ({ $case: fate, value: { ...value, held: false } } as const);
  const id = `${fate}/${runId}/${command.$case}/${issuedAt}/${random.next()}`;
  publish(world, isAlive, () => log.appendEvent(runId, id, event), done);
  return true;
}

/** Into the user's stream, then told. */
function emit(ground: Ground, by: Carrier, runId: string, command: EmitMessage, done: () => void): void {
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
