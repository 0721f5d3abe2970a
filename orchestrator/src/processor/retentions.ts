import { Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import type { Retentions, Swept } from "./kept.ts";
import type { Ground } from "./ownership.ts";
import { openOwnRetentions } from "./ownRetentions.ts";
import { openRetention } from "./retention.ts";

/**
 * Sweeps over the log, one after the other: for ended runs whose workflows do not say how long they are kept, the same for those that did not complete
 * where that is another time, and for what workflows say, as their ends tell. Where each has come to is in the lease, and the shortest of all these
 * times that there ever was. `upTo`: ends behind it are still to be told.
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
  const own = openOwnRetentions(ground, from.sweeps, upTo);
  let shortestMs = shortest([from.shortestRetentionMs, retentionMs, retentionFailedMs ?? 0, ...own.allMs()]);
  let isSweeping = false;

  /** As fast as ends become due; each sweep leaves others as much time as it takes. */
  const sweepAll = async (): Promise<void> => {
    for (let isMore = true; isMore && ground.isLive();) {
      const [first, second, third] = [await most.sweep(), await failed?.sweep(), await own.sweep()];
      isMore = first || second === true || third;
    }
  };

  return {
    note: ({ fact, sequence }) => {
      if (fact.kind !== "event" || fact.event.kind?.$case !== "runEnded") return;
      const { retentionMs: ownMs = 0 } = fact.event.kind.value;
      if (ownMs === 0) return;
      own.note(ownMs, sequence);
      shortestMs = shortest([shortestMs, ownMs]);
    },
    sweep: () => {
      if (isSweeping) return;
      isSweeping = true;
      void sweepAll().finally(() => (isSweeping = false));
    },
    swept: () => ({
      swept: most.position(),
      // Where it is the same, one may be set later: what is before was deleted then.
      sweptFailed: (failed ?? most).position(),
      sweeps: own.swept(),
      shortestRetentionMs: shortestMs,
    }),
    shortestMs: () => shortestMs,
  };
}

/** 0: none of them is a time. */
function shortest(times: readonly number[]): number {
  const all = times.filter((ms) => ms > 0);
  return all.length === 0 ? 0 : Math.min(...all);
}
