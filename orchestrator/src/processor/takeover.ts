import { isLockId } from "../../../proto/wire/lockId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { isOneShot } from "../engine/command.ts";
import type { Command } from "../engine/command.ts";
import type { LogRecord } from "../engine/record.ts";
import { isMigration, isStart, startIn } from "../engine/snapshot/resume.ts";
import { openCommands } from "../engine/standing.ts";
import { execute } from "./execute.ts";
import { openGate } from "../../../runtime/src/gate.ts";
import type { Swept } from "./kept.ts";
import { returnLock } from "./locks.ts";
import type { Ownership } from "./ownership.ts";
import { begin, beginLock, loadRun, missingPlan, payloadsOf, recordOf, see } from "./residents.ts";
import type { Residents } from "./residents.ts";
import { toResidentRun } from "./residentRun.ts";
import type { ResidentRun } from "./residentRun.ts";
import { collected, commandName, park, replay, takeTurn } from "./turn.ts";
import type { Issued } from "./turn.ts";

/** What an owner finds between the checkpoint of the last one and its own record in the log. */
export interface Window {
  /** Up to here every command is durable. */
  readonly checkpoint: number;
  /** The own record: everything up to here was written under earlier owners. */
  readonly head: number;
  /** How far ended runs have been deleted. */
  readonly swept: Swept;
  /** Requests to delete a run may not have been carried out from here on; 0: all have, as far as the checkpoint. */
  readonly deleting: number;
  /**
   * The last owner may have carried out what was issued in the window. Not so when it released the partition; nor may any before it, for
   * the log told them of their end before it told them of anything in the window.
   */
  readonly isDoubtful: boolean;
}

/** Some messages of a window, in order. */
export interface WindowPart {
  readonly records: ReadonlyMap<RunId, readonly LogRecord[]>;
  /** Sequence that is held until everything of the part is durable. */
  readonly hold: number;
  /** It reaches the head, so the records of a run in it are all there are. */
  readonly isLast: boolean;
}

/**
 * Folds every run that has records in a part of the window, each up to the head, and carries out what was issued behind the checkpoint and
 * is still wanted; when the last owner may have done so already, tasks carry `recheck`. The time it takes grows with the window, never with
 * the number of runs.
 */
export async function takeOver(
  owner: Ownership,
  residents: Residents,
  window: Window,
  part: WindowPart,
): Promise<void> {
  const gate = openGate(owner.bounds.loadsMax);
  const runs = [...part.records].map(([runId, records]) =>
    gate(async () => {
      const known = residents.get(runId);
      const run = known ?? toResidentRun(runId, owner.now());
      // What was folded by another plan is folded anew.
      if (known !== undefined && records.some(isMigration)) Object.assign(run, { phase: "loading", state: undefined });
      const isLoaded = known !== undefined && run.phase !== "loading";
      const isWhole = part.isLast && (isLoaded || records.slice(0, 1).some(isStart));
      const all = isWhole ? records : await loadUpTo(owner, run, window.head);
      const issued = await fold(owner, residents, window, run, all);
      if (run.phase === "orphan") returnLocks(owner, window, run, all, part.hold);
      if (known === undefined && run.phase !== "orphan") residents.adopt(run);
      carryOut(owner, window, run, issued, part.hold);
    }),
  );
  await Promise.all(runs);
}

async function loadUpTo(owner: Ownership, run: ResidentRun, head: number): Promise<readonly LogRecord[]> {
  const messages = await loadRun(owner, run);
  return messages.filter(({ sequence }) => sequence <= head).flatMap((message) => recordOf(owner, run, message));
}

/** The commands that were issued behind the checkpoint, the last of each name. */
async function fold(
  owner: Ownership,
  residents: Residents,
  { checkpoint }: Window,
  run: ResidentRun,
  records: readonly LogRecord[],
): Promise<ReadonlyMap<string, Issued>> {
  const issued = new Map<string, Issued>();
  const isNew = run.phase === "loading";
  const rest = isNew ? await prepare(owner, residents, run, records, checkpoint) : records;
  // Where the log lost its end, the window may reach into what a snapshot has summed up.
  for (const command of isNew ? openCommandsOf(run) : []) {
    if (command.issuedAt > checkpoint)
      issued.set(commandName(run.runId, command), { command, atMs: run.state?.nowMs ?? 0 });
  }
  const loaded = run.plan === undefined ? rest : await payloadsOf(owner, run, run.plan, rest);
  for (const record of loaded ?? []) {
    if (run.phase !== "ready") break;
    see(run, record.sequence, record.fact.kind === "event");
    const turn = takeTurn(owner, run, record, record.sequence > checkpoint ? collected : replay);
    if (turn === undefined || record.sequence <= checkpoint) continue;
    for (const command of turn.commands)
      issued.set(commandName(run.runId, command), { command, atMs: record.storedMs });
  }
  return issued;
}

async function prepare(
  owner: Ownership,
  residents: Residents,
  run: ResidentRun,
  records: readonly LogRecord[],
  checkpoint: number,
): Promise<readonly LogRecord[]> {
  if (isLockId(run.runId)) return beginLock(owner, run, records);
  const started = startIn(records);
  if (started === undefined) {
    run.phase = "orphan";
    owner.counts.orphans += records.length;
    return [];
  }
  run.plannedThrough = records.findLast(isMigration)?.sequence ?? 0;
  const plan = await residents.planOf(started);
  if (plan !== undefined) return begin(owner, run, plan, records, checkpoint);
  park(owner, run, records[0]?.sequence ?? 0, missingPlan(started));
  return [];
}

function carryOut(
  owner: Ownership,
  { checkpoint, isDoubtful }: Window,
  run: ResidentRun,
  issued: ReadonlyMap<string, Issued>,
  hold: number,
): void {
  if (run.phase !== "ready" || issued.size === 0) return;
  const wanted = new Set(openCommandsOf(run).map((command) => commandName(run.runId, command)));
  for (const [name, { command, atMs }] of issued) {
    // Cancelling a timer twice harms nothing, and not at all leaves it behind; so it is with all that no event settles.
    if (!isOneShot(command) && !wanted.has(name)) continue;
    const latest = command.kind === "endRun" ? (run.state?.ending ?? command) : command;
    if (latest.issuedAt > checkpoint) execute(owner, run, latest, { hold, atMs, recheck: isDoubtful });
  }
}

function openCommandsOf({ state, lock }: ResidentRun): readonly Command[] {
  if (state !== undefined) return openCommands(state);
  return lock?.grant === undefined ? [] : [lock.grant];
}

/** A run that is gone keeps no lock. */
function returnLocks(
  owner: Ownership,
  { checkpoint }: Window,
  run: ResidentRun,
  records: readonly LogRecord[],
  hold: number,
): void {
  for (const record of records) if (record.sequence > checkpoint) returnLock(owner, run, record, hold);
}
