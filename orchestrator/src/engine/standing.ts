import type { AttemptId } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Command } from "./command.ts";
import { attemptName } from "./state.ts";
import type { Claim } from "./live.ts";
import type { RunState } from "./state.ts";

/**
 * What a sidecar that asks about an attempt is told. "open": run it, or go on. "claimed": it must not be repeated, and somebody has
 * claimed it (claimOf says who). "closed": stop it, or drop its task.
 */
export function attemptStanding(state: RunState, id: AttemptId): "open" | "claimed" | "closed" {
  if (state.ended !== undefined) return "closed";
  const attempt = state.attempts.get(attemptName(id));
  if (attempt === undefined || attempt.close !== undefined) return "closed";
  return attempt.claim === undefined ? "open" : "claimed";
}

/** Who claimed an attempt first, while it is open: only that delivery may make the call. */
export function claimOf(state: RunState, id: AttemptId): Claim | undefined {
  return state.attempts.get(attemptName(id))?.claim;
}

/**
 * Every command that no event has settled, in the order in which they were asked for: what a new owner may have to carry out again.
 * `issuedAt` tells the window. The cost grows with their number.
 */
export function openCommands(state: RunState): readonly Command[] {
  const open: Command[] = [...state.cancelledTimers.values()];
  if (state.ended === undefined) {
    for (const { publish, close } of state.attempts.values()) {
      if (close === undefined) open.push(publish);
      else open.push(close);
    }
    for (const { arm } of state.timers.values()) open.push(arm);
    for (const { outside } of state.awaiting) {
      if (outside?.child !== undefined) open.push(outside.child);
      if (outside?.stop !== undefined) open.push(outside.stop);
      if (outside?.emit !== undefined) open.push(outside.emit);
    }
    for (const { outside } of state.locks) {
      if (outside?.lock?.isGranted === false) open.push(outside.lock.request);
    }
    if (state.ending !== undefined) open.push(state.ending);
  } else {
    if (state.telling !== undefined) open.push(state.telling);
    if (state.rerun !== undefined) open.push(state.rerun);
    if (state.deleting !== undefined) open.push(state.deleting);
  }
  return open.toSorted((a, b) => a.issuedAt - b.issuedAt);
}
