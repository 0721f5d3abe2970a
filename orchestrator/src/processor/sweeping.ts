import type { Ownership } from "./ownership.ts";
import type { Residents } from "./residents.ts";
import type { Waiters } from "./waiters.ts";

/** Ended runs are not looked for more often. */
const endedEveryMs = 50;

/** Drops from time to time what a partition needs no more; returns how to stop. */
export function startSweeping(owner: Ownership, residents: Residents, waiters: Waiters): () => void {
  const { bounds, cuts, retentions, deletions, now } = owner;
  const timers = [
    setInterval(() => {
      residents.sweep();
      cuts.sweep();
      retentions.sweep();
      deletions.sweep();
      waiters.sweep(now());
    }, bounds.sweepEveryMs),
    setInterval(() => residents.sweepEnded(), Math.max(endedEveryMs, bounds.endedIdleMs)),
  ];
  return () => timers.forEach((timer) => clearInterval(timer));
}
