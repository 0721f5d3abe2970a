import { MethodLimits } from "../../../proto/gen/sidestep/internal/v1/record.ts";

/** What calls of a method may do at most, as an operator has set it. */
export type Limit = {
  /** "package.Service/Method" */
  readonly method: string;
  /** Calls at a time over all sidecars; the server holds it. */
  readonly concurrency: number;
  readonly concurrencyPerSidecar: number;
  readonly rate: Rate | undefined;
  /** Tells limits of one method apart. */
  readonly sinceMs: number;
  /** It bounds nothing any more; tasks that were published meanwhile are still to be taken. */
  readonly isLifted: boolean;
};

/** So many calls in so long, over all sidecars. */
export type Rate = { readonly calls: number; readonly perMs: number };

/** Reads the record of limits; undefined when it is none. */
export function readLimits(bytes: Uint8Array): readonly Limit[] | undefined {
  try {
    return MethodLimits.decode(bytes).limit.map(
      ({ method, concurrency, concurrencyPerSidecar, rateCalls, ratePerMs, sinceMs, liftedMs }) => {
        const isLifted = liftedMs > 0;
        return {
          method,
          concurrency: isLifted ? 0 : concurrency,
          concurrencyPerSidecar: isLifted ? 0 : concurrencyPerSidecar,
          rate: isLifted || rateCalls === 0 ? undefined : { calls: rateCalls, perMs: ratePerMs },
          sinceMs,
          isLifted,
        };
      },
    );
  } catch {
    return undefined;
  }
}

/**
 * How many more tasks a limited method may have in hands. `inHands`: delivered and not acknowledged; `parked`: those of them that wait
 * for their turn; `free`: slots of the sidecar.
 */
export function roomOf(limit: Limit, inHands: number, parked: number, free: number): number {
  const bounds = [limit.concurrency, limit.concurrencyPerSidecar].filter((bound) => bound > 0);
  const turns = limit.rate === undefined ? free : aheadOf(limit.rate) - parked;
  return Math.max(0, Math.min(free - parked, turns, ...bounds.map((bound) => bound - inHands)));
}

/** As many as get their turn within this time are pulled ahead: later ones would have to be asked about. */
const aheadMs = 500;
const aheadMax = 64;

function aheadOf({ calls, perMs }: Rate): number {
  return Math.min(Math.max(Math.ceil((aheadMs * calls) / perMs), 1), aheadMax);
}
