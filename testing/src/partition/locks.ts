import type { GrantLock, ReleaseLock, RequestLock } from "../../../orchestrator/src/engine/command.ts";
import { lockHolderName } from "../../../orchestrator/src/engine/lock.ts";
import { fromHex, toHex } from "../../../proto/wire/runId.ts";
import type { Carrier, Ground } from "./ground.ts";
import { inChain } from "./chains.ts";

/** The id under which a lock has its records. */
export function lockIdOf(lock: string): string {
  return `lock/${lock}`;
}

/** Is it a lock's? */
export function isLockRecord(runId: string): boolean {
  return runId.startsWith("lock/");
}

/** Asks for a lock, or gives it back behind that, in the lock's own records. */
export function tellLock(
  { log, publish }: Ground,
  by: Carrier,
  runId: string,
  { kind, at, lock, issuedAt }: RequestLock | ReleaseLock,
  over: () => void,
): void {
  inChain(by.chains, `${runId}/${at.step}/${at.generation}/${lock}`, (next) => {
    const $case = kind === "requestLock" ? "lockRequested" : "lockReleased";
    const value = { lock, holder: { runId: fromHex(runId), step: { ...at } } };
    const id = `${lock}/${runId}/${at.step}/${at.generation}/${$case}/${issuedAt}`;
    publish(
      by.isAlive,
      () => log.appendEvent(lockIdOf(lock), id, $case === "lockRequested" ? { $case, value } : { $case, value }),
      () => {
        over();
        next();
      },
    );
  });
}

/** Tells the holder that it has the lock. */
export function grantLock(
  { log, publish }: Ground,
  by: Carrier,
  { lock, holder, issuedAt }: GrantLock,
  done: () => void,
): void {
  const id = `${lock}/${lockHolderName(holder)}/granted/${issuedAt}`;
  const store = (): unknown =>
    log.appendEvent(toHex(holder.runId), id, { $case: "lockGranted", value: { step: holder.step, lock } });
  publish(by.isAlive, store, done);
}
