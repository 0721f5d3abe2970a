import type { Command } from "../../../orchestrator/src/engine/command.ts";
import type { AttemptId } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { attemptKey } from "../../../proto/wire/attempt.ts";
import type { Engine } from "../engine.ts";
import { checkTask } from "../rules/run.ts";
import type { SimLog } from "./log.ts";
import type { SimQueue } from "./queue.ts";
import type { SimTimers } from "./timers.ts";
import { publish, strikes } from "./world.ts";
import type { World } from "./world.ts";

/** What owners stand on. */
export interface Ground {
  readonly world: World;
  readonly engine: Engine;
  readonly log: SimLog;
  readonly queue: SimQueue;
  readonly timers: SimTimers;
  readonly reset: (runId: string, attempt: AttemptId) => void;
  /** Bytes of every task published so far, by id. */
  readonly published: Map<string, string>;
  /** When each attempt was closed first, by id. */
  readonly closedAt: Map<string, number>;
}

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
    case "stopChild":
    case "tellParent":
    case "emitMessage":
    case "requestLock":
    case "releaseLock":
    case "grantLock":
      throw new Error(`definitions of the simulation have no step that asks for ${command.kind}`);
  }
}

/** Makes a command durable; `done` when it is. */
export function carryOut(
  ground: Ground,
  isAlive: () => boolean,
  runId: string,
  command: Command,
  recheck: boolean,
  done: () => void,
): void {
  const { world, log, queue, timers } = ground;
  const { clock, random, faults, broken } = world;
  switch (command.kind) {
    case "publishTask": {
      const key = attemptKey(runId, command.attempt);
      const id = broken.has("new message id at each publish") ? `${key}/${clock.now}/${random.next()}` : key;
      const store = (): void => queue.store(runId, id, command, recheck || command.isReissue);
      checkTask(world, ground.published, key, command);
      const fate = strikes(world, faults.rejects)
        ? "commandRejected"
        : strikes(world, faults.defers)
          ? "commandDeferred"
          : undefined;
      if (fate === undefined) {
        publish(world, isAlive, store, done);
        return;
      }
      if (random.chance(0.5)) store();
      const value = { command: { $case: "task", value: command.attempt }, reason: "fault" } as const;
      const event =
        fate === "commandRejected"
          ? ({ $case: fate, value } as const)
          : ({ $case: fate, value: { ...value, held: false } } as const);
      publish(world, isAlive, () => log.appendEvent(runId, `${fate}/${key}/${command.issuedAt}`, event), done);
      return;
    }
    case "armTimer": {
      const { number, dueMs } = command;
      const name = `${runId}/${number}`;
      const fire = (): void =>
        void log.appendEvent(runId, `fired/${name}/${clock.now}`, { $case: "timerFired", value: { number, dueMs } });
      publish(world, isAlive, () => timers.arm(name, dueMs, fire), done);
      return;
    }
    case "cancelTimer": {
      const name = `${runId}/${command.number}`;
      // Behind the arming of it, however long that takes.
      clock.after(0, () => publish(world, isAlive, () => timers.cancel(name), done));
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
    case "startChild":
    case "stopChild":
    case "tellParent":
    case "emitMessage":
    case "requestLock":
    case "releaseLock":
    case "grantLock":
      throw new Error(`definitions of the simulation have no step that asks for ${command.kind}`);
  }
}
