import { Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import type { Retentions, Swept } from "./kept.ts";
import type { Ground } from "./ownership.ts";
import { openRetention } from "./retention.ts";
import type { Retention } from "./retention.ts";

/** The sweep over runs whose workflows give them the same time. */
interface OwnRetention {
  readonly sweep: Retention;
  /** Position of the last of these ends that is known. */
  last: number;
}

/**
 * One sweep over the log for each time that ended runs are kept for: as the orchestrator says, the same of runs that did not complete where that is
 * another, and those that workflows say, as their ends tell. Where each has come to is in the lease. `upTo`: ends behind it are still to be told.
 */
export function openRetentions(ground: Ground, from: Swept, upTo: number): Retentions {
  const { retentionMs, retentionFailedMs } = ground.bounds;
  const isSame = retentionFailedMs === undefined || retentionFailedMs === retentionMs;
  const isPlain = (end: { readonly retentionMs?: number | undefined }): boolean => (end.retentionMs ?? 0) === 0;
  const most = openRetention(
    ground,
    {
      retentionMs,
      takes: (end) => isPlain(end) && (isSame || end.state === Run_State.COMPLETED),
      hasLeftovers: true,
    },
    // Where it was another until now, it may have come less far.
    isSame && from.sweptFailed > 0 ? Math.min(from.swept, from.sweptFailed) : from.swept,
  );
  const failed = isSame
    ? undefined
    : openRetention(
        ground,
        {
          retentionMs: retentionFailedMs,
          takes: (end) => isPlain(end) && end.state !== Run_State.COMPLETED,
          hasLeftovers: false,
        },
        from.sweptFailed,
      );
  const own = new Map<number, OwnRetention>();
  const addOwn = (ownMs: number, position: number, last: number): void => {
    const keeping = {
      retentionMs: ownMs,
      takes: (end: { readonly retentionMs?: number | undefined }) => end.retentionMs === ownMs,
      hasLeftovers: false,
    };
    own.set(ownMs, { sweep: openRetention(ground, keeping, position), last });
  };
  for (const { retentionMs: ownMs, swept } of from.sweeps) addOwn(ownMs, swept, upTo);

  return {
    note: ({ fact, sequence }) => {
      if (fact.kind !== "event" || fact.event.kind?.$case !== "runEnded") return;
      const { retentionMs: ownMs = 0 } = fact.event.kind.value;
      if (ownMs === 0) return;
      const known = own.get(ownMs);
      if (known === undefined) addOwn(ownMs, sequence - 1, sequence);
      else known.last = Math.max(known.last, sequence);
    },
    sweep: () => {
      most.sweep();
      failed?.sweep();
      for (const [ownMs, { sweep, last }] of own) {
        if (sweep.position() >= last) own.delete(ownMs);
        else sweep.sweep();
      }
    },
    swept: () => ({
      swept: most.position(),
      // Where it is the same, one may be set later: what is before was deleted then.
      sweptFailed: (failed ?? most).position(),
      sweeps: [...own].map(([ownMs, { sweep }]) => ({ retentionMs: ownMs, swept: sweep.position() })),
    }),
    shortestMs: () => {
      const all = [retentionMs, retentionFailedMs ?? 0, ...own.keys()].filter((ms) => ms > 0);
      return all.length === 0 ? 0 : Math.min(...all);
    },
  };
}
