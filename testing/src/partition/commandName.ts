import type { Command, StepName } from "../../../orchestrator/src/engine/command.ts";
import { lockHolderName } from "../../../orchestrator/src/engine/lock.ts";
import { attemptKey } from "../../../proto/wire/attempt.ts";

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

/** A step in one of its generations, as names of commands spell it. */
export function stepOf({ at }: { readonly at: StepName }): string {
  return `${at.step}/${at.generation}`;
}
