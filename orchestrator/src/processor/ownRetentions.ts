import type { Lease_Sweep } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import type { Ground } from "./ownership.ts";
import { openRetention } from "./retention.ts";
import type { Retention } from "./retention.ts";

/** Times that workflows say their ended runs are kept for: a sweep for each, up to a bound; then one for all between two steps of a ladder. */
export interface OwnRetentions {
  /** A run has ended whose workflow says how long it is kept. */
  note(retentionMs: number, sequence: number): void;
  /** Deletes some of what is due, one sweep after the other. True: more may be due now. Never rejects. */
  sweep(): Promise<boolean>;
  /** Nothing is left to do up to there. */
  swept(): Lease_Sweep[];
  /** Times of all sweeps. */
  allMs(): readonly number[];
}

/** Times that have a sweep of their own: each reads the log once more. */
const exactMax = 16;
/** The ladder begins at the shortest time that a workflow may say; each step is twice the last. */
const ladderFromMs = 5 * 60_000;

interface Class {
  readonly sweep: Retention;
  /** Position of the last of its ends that is known. */
  last: number;
}

/**
 * A sweep begins with the first such end that is met and is over when its last is behind it. It takes every end whose time is no longer than its own: all of
 * these are due by then, whichever sweep they were for. So a run may be kept longer than its workflow says, by less than as long again, and only where
 * more times are said than have a sweep of their own; never shorter.
 */
export function openOwnRetentions(ground: Ground, from: readonly Lease_Sweep[], upTo: number): OwnRetentions {
  const classes = new Map<number, Class>();
  const add = (retentionMs: number, position: number, last: number): void => {
    const keeping = {
      retentionMs,
      takes: (end: { readonly retentionMs?: number | undefined }) =>
        (end.retentionMs ?? 0) > 0 && (end.retentionMs ?? 0) <= retentionMs,
      hasLeftovers: false,
    };
    classes.set(retentionMs, { sweep: openRetention(ground, keeping, position), last });
  };
  const classOf = (retentionMs: number): number => {
    if (classes.has(retentionMs)) return retentionMs;
    return classes.size >= exactMax ? onLadder(retentionMs) : retentionMs;
  };
  for (const { retentionMs, swept } of from) add(retentionMs, swept, upTo);

  return {
    note: (retentionMs, sequence) => {
      const known = classes.get(classOf(retentionMs));
      if (known === undefined) add(classOf(retentionMs), sequence - 1, sequence);
      else known.last = Math.max(known.last, sequence);
    },
    sweep: async () => {
      let isMore = false;
      for (const [retentionMs, { sweep, last }] of classes) {
        if (sweep.position() >= last) classes.delete(retentionMs);
        else if (await sweep.sweep()) isMore = true;
      }
      return isMore;
    },
    swept: () => [...classes].map(([retentionMs, { sweep }]) => ({ retentionMs, swept: sweep.position() })),
    allMs: () => [...classes.keys()],
  };
}

function onLadder(retentionMs: number): number {
  return ladderFromMs * 2 ** Math.max(0, Math.ceil(Math.log2(retentionMs / ladderFromMs)));
}
