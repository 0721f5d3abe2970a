import { withdraw } from "./draft.ts";
import type { Draft } from "./draft.ts";
import type { LiveStep } from "./live.ts";

/** The step is over: its lock is given back as soon as none of its calls can be under way. */
export function leaveLock(draft: Draft, step: LiveStep): void {
  if (!draft.state.locks.has(step) || (step.call?.inFlight ?? 0) > 0) return;
  releaseLock(draft, step);
}

/** Nothing of the run is awaited any more: every lock that it has asked for is given back. */
export function releaseLocks(draft: Draft): void {
  for (const step of draft.state.locks) releaseLock(draft, step);
}

function releaseLock(draft: Draft, step: LiveStep): void {
  const lock = step.outside?.lock;
  draft.state.locks.delete(step);
  if (lock === undefined || (!lock.isGranted && withdraw(draft, lock.request))) return;
  draft.commands.push({ kind: "releaseLock", issuedAt: draft.sequence, at: lock.at, lock: lock.name });
}
