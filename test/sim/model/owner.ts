import type { Command } from "../../../orchestrator/src/engine/command.ts";
import { isOneShot } from "../../../orchestrator/src/engine/command.ts";
import type { LockState } from "../../../orchestrator/src/engine/lock.ts";
import type { RunState } from "../../../orchestrator/src/engine/state.ts";
import { attemptKey } from "../../../proto/wire/attempt.ts";
import { commandName } from "../../../testing/src/partition/commandName.ts";
import { isLockRecord } from "../../../testing/src/partition/locks.ts";
import { carryOut } from "./carryOut.ts";
import type { SimCarrier, SimGround } from "./ground.ts";
import { checkTurn } from "../rules/run.ts";
import type { StoredRecord } from "../../../testing/src/partition/log.ts";
import type { Question, Verdict } from "./sidecar.ts";
import { ackWaitMs } from "./queue.ts";
import { strikes } from "./world.ts";

/** Who may be believed, and up to where all is durable. */
export interface Lease {
  owner: Owner | undefined;
  checkpoint: number;
}

/** One orchestrator's hold of the partition: reads the log, advances the runs, carries their commands out. */
export interface Owner {
  readonly states: ReadonlyMap<string, RunState>;
  /** By lockIdOf. */
  readonly locks: ReadonlyMap<string, LockState>;
  isAlive(): boolean;
  /** Reads on to the end of the log, at once. */
  catchUp(): void;
  answer(question: Question): Verdict;
  die(): void;
}

/** Takes the partition over: folds everything silently, carries out what was asked for after the checkpoint, then reads on. */
export function openOwner(ground: SimGround, lease: Lease): Owner {
  const { world, log, engine, plans } = ground;
  const { clock, random } = world;
  const states = new Map<string, RunState>();
  const locks = new Map<string, LockState>();
  const running = new Map<string, { readonly sidecarId: string; readonly at: number }>();
  const holds = new Map<number, number>();
  const life = { isAlive: true, position: 0, isReading: false };
  const isAlive = (): boolean => life.isAlive;
  const me: SimCarrier = { isAlive, chains: new Map(), stateOf: (runId) => states.get(runId) };

  const turn = (index: number): readonly Command[] => {
    const entry = log.records[index];
    if (entry !== undefined && isLockRecord(entry.runId)) return lockTurn(entry);
    const plan = entry === undefined ? undefined : plans.get(entry.runId);
    if (entry === undefined || plan === undefined) return [];
    let state = states.get(entry.runId);
    if (state === undefined) states.set(entry.runId, (state = engine.newRun(entry.runId)));
    const wasEnded = state.ended !== undefined;
    const made = engine.advance(plan, state, entry.record);
    checkTurn(world, state, made, wasEnded);
    return made.commands;
  };

  const lockTurn = ({ runId, record }: StoredRecord): readonly Command[] => {
    let lock = locks.get(runId);
    if (lock === undefined) locks.set(runId, (lock = engine.newLock()));
    return engine.advanceLock(lock, record).commands;
  };

  const execute = (runId: string, hold: number, command: Command, recheck: boolean): void => {
    holds.set(hold, (holds.get(hold) ?? 0) + 1);
    carryOut(ground, me, runId, command, recheck, () => {
      const left = (holds.get(hold) ?? 1) - 1;
      if (left === 0) holds.delete(hold);
      else holds.set(hold, left);
    });
  };

  const readOn = (upTo: number): void => {
    while (life.position < upTo) {
      const index = life.position++;
      const runId = log.records[index]?.runId ?? "";
      for (const command of turn(index)) execute(runId, index + 1, command, false);
    }
  };

  const wake = (): void => {
    if (!life.isAlive || life.isReading) return;
    life.isReading = true;
    clock.after(random.int(0, 4), () => {
      life.isReading = false;
      if (!life.isAlive) return;
      readOn(Math.min(log.records.length, life.position + random.int(1, 20)));
      if (life.position < log.records.length) wake();
    });
  };

  const saveCheckpoint = (): void => {
    if (!life.isAlive) return;
    const undone = holds.size === 0 ? life.position + 1 : Math.min(...holds.keys());
    const done = world.broken.has("checkpoint before the commands are durable") ? life.position : undone - 1;
    if (lease.owner === owner && done > lease.checkpoint) lease.checkpoint = done;
    clock.after(random.int(5, world.faults.checkpointMsMax), saveCheckpoint);
  };

  const takeOver = (): void => {
    const head = log.records.length;
    // The checkpoint stays where it is until all of the window is durable.
    const hold = lease.checkpoint + 1;
    const issued = new Map<string, { readonly runId: string; readonly command: Command }>();
    while (life.position < head) {
      const index = life.position++;
      const runId = log.records[index]?.runId ?? "";
      for (const command of turn(index)) {
        if (index + 1 > lease.checkpoint) issued.set(commandName(runId, command), { runId, command });
      }
    }
    if (world.broken.has("takeover carries nothing out")) return;
    const wanted = new Set<string>();
    for (const [runId, state] of states) {
      for (const command of engine.openCommands(state)) wanted.add(commandName(runId, command));
    }
    for (const [lockId, { grant }] of locks) if (grant !== undefined) wanted.add(commandName(lockId, grant));
    for (const [name, { runId, command }] of issued) {
      const latest = command.kind === "endRun" ? (states.get(runId)?.ending ?? command) : command;
      if (isOneShot(command) || wanted.has(name)) execute(runId, hold, latest, true);
    }
  };

  const answer = (question: Question): Verdict => {
    catchUp();
    const state = states.get(question.runId);
    if (state === undefined) return "not now";
    const standing = engine.attemptStanding(state, question.attempt);
    const key = attemptKey(question.runId, question.attempt);
    if (standing === "closed") return "closed";
    if (standing === "claimed") {
      const claim = engine.claimOf(state, question.attempt);
      const isMine = claim?.sidecarId === question.sidecarId && claim.delivery === question.delivery;
      return isMine ? "open" : question.running ? "closed" : "doubt";
    }
    if (question.claimed) return "not now";
    const other = running.get(key);
    const isBusy = other !== undefined && other.sidecarId !== question.sidecarId && clock.now - other.at < ackWaitMs;
    if (isBusy) return question.running ? "open" : "busy";
    if (question.running) running.set(key, { sidecarId: question.sidecarId, at: clock.now });
    return "open";
  };

  const catchUp = (): void => readOn(log.records.length);
  const owner: Owner = { states, locks, isAlive, catchUp, answer, die: () => (life.isAlive = false) };
  takeOver();
  log.onAppend(wake);
  saveCheckpoint();
  wake();
  return owner;
}

/** Owners die, are followed by others, and in bad seeds go on for a while beside them. */
export function openOwnership(ground: SimGround): Lease {
  const { world } = ground;
  const { clock, random, faults } = world;
  const lease: Lease = { owner: undefined, checkpoint: 0 };
  const succeed = (): void => {
    lease.owner = openOwner(ground, lease);
  };
  const watch = (): void => {
    const old = lease.owner;
    if (old !== undefined && strikes(world, faults.ownerDies)) {
      lease.owner = undefined;
      if (faults.zombies) clock.after(random.int(500, 5_000), () => old.die());
      else old.die();
      clock.after(random.int(50, 3_000), succeed);
    }
    clock.after(random.int(100, 1_900), watch);
  };
  succeed();
  watch();
  return lease;
}
