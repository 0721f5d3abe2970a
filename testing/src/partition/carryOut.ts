import type {
  GrantLock,
  ReleaseLock,
  RequestLock,
  StartChild,
  StopChild,
  TellParent,
} from "../../../orchestrator/src/engine/command.ts";
import { startChild, stopChild, tellParent } from "./children.ts";
import type { Carrier, Ground } from "./ground.ts";
import { grantLock, tellLock } from "./locks.ts";

/** A command whose effect is a record of another run, or of a lock. */
export type LogCommand = StartChild | StopChild | TellParent | RequestLock | ReleaseLock | GrantLock;

/** Makes one durable; `done` when it is. */
export function carryOutInLogs(
  ground: Ground,
  by: Carrier,
  runId: string,
  command: LogCommand,
  done: () => void,
): void {
  switch (command.kind) {
    case "startChild":
      startChild(ground, by, runId, command, done);
      return;
    case "stopChild":
      stopChild(ground, by, runId, command, done);
      return;
    case "tellParent":
      tellParent(ground, by, runId, command, done);
      return;
    case "requestLock":
    case "releaseLock":
      tellLock(ground, by, runId, command, done);
      return;
    case "grantLock":
      grantLock(ground, by, command, done);
  }
}
