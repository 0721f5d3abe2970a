import type { ArmTimer, CloseAttempt, Command, EmitMessage, EndRun } from "../../../orchestrator/src/engine/command.ts";
import { attemptName } from "../../../orchestrator/src/engine/state.ts";
import { attemptKey } from "../../../proto/wire/attempt.ts";
import { carryOutInLogs } from "../partition/carryOut.ts";
import { stepOf } from "../partition/commandName.ts";
import type { Carrier } from "../partition/ground.ts";
import type { WorldGround } from "./ground.ts";

/** Carries a command out, at once. */
export function carryOut(ground: WorldGround, by: Carrier, runId: string, command: Command, recheck: boolean): void {
  switch (command.kind) {
    case "publishTask":
      ground.sidecars.take(runId, command, recheck || command.isReissue);
      return;
    case "armTimer":
      armTimer(ground, runId, command);
      return;
    case "cancelTimer":
      ground.timers.delete(`${runId}/${command.number}`);
      return;
    case "closeAttempt":
      closeAttempt(ground, runId, command);
      return;
    case "endRun":
      endRun(ground, runId, command);
      return;
    case "emitMessage":
      emitMessage(ground, runId, command);
      return;
    case "startChild":
    case "stopChild":
    case "tellParent":
    case "requestLock":
    case "releaseLock":
    case "grantLock":
      carryOutInLogs(ground, by, runId, command, () => undefined);
      return;
    // Nobody asks for these here.
    case "deleteRun":
    case "startRerun":
  }
}

function armTimer({ clock, log, timers, known }: WorldGround, runId: string, { number, dueMs }: ArmTimer): void {
  const name = `${runId}/${number}`;
  if (known.has(name)) return;
  known.add(name);
  timers.add(name);
  clock.after(dueMs - clock.now, () => {
    if (timers.delete(name)) log.appendEvent(runId, `fired/${name}`, { $case: "timerFired", value: { number, dueMs } });
  });
}

/** Longer than a call can take: no sidecar begins or reports the attempt any more. */
const closedAfterMs = 7_000;

function closeAttempt(ground: WorldGround, runId: string, { attempt, timeoutMs }: CloseAttempt): void {
  ground.sidecars.reset(runId, attempt);
  const name = `x/${attemptKey(runId, attempt)}`;
  if (ground.known.has(name)) return;
  ground.known.add(name);
  ground.clock.after(closedAfterMs + timeoutMs, () => {
    const state = ground.stateOf(runId);
    // The outcome came: there is nothing to say. Where nobody owns the log, it is said.
    if (state !== undefined && !state.attempts.has(attemptName(attempt))) return;
    ground.log.appendEvent(runId, name, { $case: "attemptExpired", value: { attempt } });
  });
}

function endRun({ log }: WorldGround, runId: string, { expectedEvent, ended }: EndRun): void {
  log.appendEvent(runId, `end/${runId}/${expectedEvent}`, { $case: "runEnded", value: ended }, expectedEvent);
}

function emitMessage(ground: WorldGround, runId: string, command: EmitMessage): void {
  ground.emit(runId, command);
  const value = { step: { ...command.at } };
  ground.log.appendEvent(runId, `emitted/${runId}/${stepOf(command)}`, { $case: "emitted", value });
}
