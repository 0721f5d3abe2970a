import { isEvictable } from "./residentRun.ts";
import type { ResidentRun } from "./residentRun.ts";

/** Runs that have ended while they were in memory, until they are dropped. */
export interface EndedRuns {
  note(run: ResidentRun, atMs: number): void;
  /** Those that ended up to then and can go; the others are left to who sweeps all runs. */
  take(untilMs: number): readonly ResidentRun[];
}

/**
 * None yet. Most runs in memory have ended, and to look for them among all that wait would take long. They go soon: what lives for no more than a moment costs
 * the garbage collector next to nothing, and what it has moved twice costs much.
 */
export function openEndedRuns(): EndedRuns {
  let ended: { readonly run: ResidentRun; readonly atMs: number }[] = [];
  return {
    note: (run, atMs) => {
      // A clock that was put back keeps nothing here until it has caught up.
      if (atMs < (ended.at(-1)?.atMs ?? 0))
        ended = ended.map((one) => ({ run: one.run, atMs: Math.min(one.atMs, atMs) }));
      ended.push({ run, atMs });
    },
    take: (untilMs) => {
      const later = ended.findIndex(({ atMs }) => atMs > untilMs);
      const due = later === -1 ? ended : ended.slice(0, later);
      ended = later === -1 ? [] : ended.slice(later);
      return due.map(({ run }) => run).filter(isEvictable);
    },
  };
}
