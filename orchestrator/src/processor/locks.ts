import { Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { LockHolder } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { partitionOf } from "../../../proto/wire/layout.ts";
import { lockId } from "../../../proto/wire/lockId.ts";
import { fromHex, parseRunId } from "../../../proto/wire/runId.ts";
import type { GrantLock, ReleaseLock, RequestLock } from "../engine/command.ts";
import { lockHolderName } from "../engine/lock.ts";
import type { LogRecord } from "../engine/record.ts";
import { chain } from "./chain.ts";
import type { Ownership } from "./ownership.ts";
import type { WriteLimits, Written } from "./ports.ts";
import type { ResidentRun } from "./residentRun.ts";
import { deferAfterMs, settle } from "./settle.ts";
import type { Carry } from "./settle.ts";

/** Asks the lock for itself, in the lock's own log. */
export function requestLock(owner: Ownership, run: ResidentRun, command: RequestLock, { hold }: Carry): void {
  const limits = { signal: owner.signal, deferAfterMs };
  const written = chain(run, chainOf(command), () => tellLock(owner, run, "lockRequested", command, limits));
  settle(owner, run, hold, written, { $case: "lock", value: command.at });
}

/** Gives it back, or takes the request back; behind the request, which could overtake it otherwise and hold the lock for ever. */
export function releaseLock(owner: Ownership, run: ResidentRun, command: ReleaseLock, { hold }: Carry): void {
  // Never deferred: nothing would ask for it again.
  const limits = { signal: owner.signal };
  const written = chain(run, chainOf(command), () => tellLock(owner, run, "lockReleased", command, limits));
  settle(owner, run, hold, written, undefined);
}

/** The run whose lock this was granted to is gone, with all that it asked for. */
export function returnLock(
  owner: Ownership,
  run: ResidentRun,
  { sequence, storedMs, fact }: LogRecord,
  hold: number,
): void {
  const kind = fact.kind === "event" ? fact.event.kind : undefined;
  if (kind?.$case !== "lockGranted" || kind.value.step === undefined) return;
  const { step: at, lock } = kind.value;
  releaseLock(
    owner,
    run,
    { kind: "releaseLock", issuedAt: sequence, at, lock },
    { hold, atMs: storedMs, recheck: false },
  );
}

/** Tells the holder, in its own log, that it has the lock. */
export function grantLock(owner: Ownership, lock: ResidentRun, command: GrantLock, { hold }: Carry): void {
  const { holder, issuedAt } = command;
  const runId = parseRunId(holder.runId);
  const partition = runId === undefined ? undefined : partitionOf(owner.layouts, runId);
  if (runId === undefined || partition === undefined) {
    owner.logger.error("a lock is wanted by a run that can't be", { runId, step: holder.step, lock: command.lock });
    return;
  }
  const value = { step: holder.step, lock: command.lock };
  const event = Event.encode({ kind: { $case: "lockGranted", value } }).finish();
  const id = `${lock.runId}/${lockHolderName(holder)}/lockGranted/${issuedAt}`;
  // Never deferred: nothing would ask for it again.
  settle(owner, lock, hold, owner.logOf(partition).append(runId, id, event, { signal: owner.signal }), undefined);
}

function chainOf({ at, lock }: RequestLock | ReleaseLock): string {
  return `lock ${at.step}/g${at.generation} ${lock}`;
}

/**
 * The position of the event that asks for it is in the message id: a lock that comes back to the same holder by a late request has to be
 * released anew.
 */
function tellLock(
  owner: Ownership,
  run: ResidentRun,
  $case: "lockRequested" | "lockReleased",
  { at, lock, issuedAt }: RequestLock | ReleaseLock,
  limits: WriteLimits,
): Promise<Written> {
  const lockRunId = lockId(owner.layouts, lock);
  const partition = partitionOf(owner.layouts, lockRunId);
  if (partition === undefined) throw new Error(`No layout has the lock ${lock}.`);
  const holder: LockHolder = { runId: fromHex(run.runId), step: { step: at.step, generation: at.generation } };
  const value = { lock, holder };
  const event = Event.encode({
    kind: $case === "lockRequested" ? { $case, value } : { $case, value },
  }).finish();
  const id = `${lockRunId}/${run.runId}/${at.step}/g${at.generation}/${$case}/${issuedAt}`;
  return owner.logOf(partition).append(lockRunId, id, event, limits);
}
