import { advance } from "../../../orchestrator/src/engine/advance.ts";
import type { Turn } from "../../../orchestrator/src/engine/advance.ts";
import { isOneShot } from "../../../orchestrator/src/engine/command.ts";
import type { Command } from "../../../orchestrator/src/engine/command.ts";
import { advanceLock, newLock } from "../../../orchestrator/src/engine/lock.ts";
import type { LockState } from "../../../orchestrator/src/engine/lock.ts";
import { attemptStanding, claimOf, openCommands } from "../../../orchestrator/src/engine/standing.ts";
import { newRun } from "../../../orchestrator/src/engine/state.ts";
import type { RunState } from "../../../orchestrator/src/engine/state.ts";
import { carryOut } from "./carryOut.ts";
import { commandName } from "../partition/commandName.ts";
import type { Carrier } from "../partition/ground.ts";
import { isLockRecord } from "../partition/locks.ts";
import type { StoredRecord } from "../partition/log.ts";
import type { WorldGround } from "./ground.ts";
import type { Question, Verdict } from "./sidecar.ts";

/** One orchestrator's hold of the log: reads it, advances the runs, carries their commands out. */
export interface Owner {
  readonly states: ReadonlyMap<string, RunState>;
  /** Reads on to the end of the log. */
  readOn(): void;
  answer(question: Question): Verdict;
  die(): void;
}

/** What became of a record. */
export type OnTurn = (runId: string, sequence: number, turn: Turn) => void;

/** Takes the log over: folds all of it, carries out once more what it asks for and what may not have been done, then reads on. */
export function openOwner(ground: WorldGround, onTurn: OnTurn): Owner {
  const { log, plans } = ground;
  const states = new Map<string, RunState>();
  const locks = new Map<string, LockState>();
  let isAlive = true;
  let position = 0;
  const me: Carrier = { isAlive: () => isAlive, chains: new Map() };

  const turnOf = ({ runId, record }: StoredRecord): Turn | undefined => {
    if (isLockRecord(runId)) {
      const lock = locks.get(runId) ?? newLock();
      locks.set(runId, lock);
      return advanceLock(lock, record);
    }
    const plan = plans.get(runId);
    if (plan === undefined) return undefined;
    const state = states.get(runId) ?? newRun(runId);
    states.set(runId, state);
    return advance(plan, state, record);
  };

  const readOn = (): void => {
    while (isAlive && position < log.records.length) {
      const stored = log.records[position++];
      const turn = stored === undefined ? undefined : turnOf(stored);
      if (stored === undefined || turn === undefined) continue;
      onTurn(stored.runId, stored.record.sequence, turn);
      for (const command of turn.commands) carryOut(ground, me, stored.runId, command, false);
    }
  };

  const takeOver = (): void => {
    const head = log.records.length;
    const issued = new Map<string, { readonly runId: string; readonly command: Command }>();
    while (position < head) {
      const stored = log.records[position++];
      const turn = stored === undefined ? undefined : turnOf(stored);
      if (stored === undefined || turn === undefined) continue;
      onTurn(stored.runId, stored.record.sequence, turn);
      for (const command of turn.commands)
        issued.set(commandName(stored.runId, command), { runId: stored.runId, command });
    }
    const wanted = new Set<string>();
    for (const [runId, state] of states)
      for (const command of openCommands(state)) wanted.add(commandName(runId, command));
    for (const [lockId, { grant }] of locks) if (grant !== undefined) wanted.add(commandName(lockId, grant));
    for (const [name, { runId, command }] of issued) {
      const latest = command.kind === "endRun" ? (states.get(runId)?.ending ?? command) : command;
      if (isOneShot(command) || wanted.has(name)) carryOut(ground, me, runId, latest, true);
    }
  };

  const answer = ({ runId, attempt, sidecarId, delivery, isClaimed }: Question): Verdict => {
    if (!isAlive) return "not now";
    readOn();
    const state = states.get(runId);
    if (state === undefined) return "not now";
    const standing = attemptStanding(state, attempt);
    if (standing === "closed") return "closed";
    if (standing === "open") return isClaimed ? "not now" : "open";
    const by = claimOf(state, attempt);
    return by?.sidecarId === sidecarId && by.delivery === delivery ? "open" : "doubt";
  };

  takeOver();
  return { states, readOn, answer, die: () => (isAlive = false) };
}
