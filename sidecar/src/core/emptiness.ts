/**
 * Up to where the heartbeats of a pull have told that its consumer was empty. On replicas a heartbeat can overtake a delivery that still waits for
 * its quorum, by some 50 ms; so it counts a little later. A server that forgot what it had delivered needs longer to come back.
 */
export type Emptiness = {
  /** All up to this stream sequence had been delivered, and has arrived where it was to; undefined: nothing is known. */
  readonly sequence: number | undefined;
  /** The same, told too lately to count. */
  readonly told: { readonly sequence: number; readonly atMs: number } | undefined;
};

export const neverEmpty: Emptiness = { sequence: undefined, told: undefined };

const countsAfterMs = 250;

/** What counts by now. */
export function settled(emptiness: Emptiness, nowMs: number): Emptiness {
  const { told } = emptiness;
  if (told === undefined || nowMs - told.atMs < countsAfterMs) return emptiness;
  return { sequence: told.sequence, told: undefined };
}

/** A heartbeat tells that all up to this sequence has been delivered. One that waits for its time is not put off by the next. */
export function tellEmpty(emptiness: Emptiness, sequence: number, nowMs: number): Emptiness {
  const before = settled(emptiness, nowMs);
  return before.told === undefined ? { ...before, told: { sequence, atMs: nowMs } } : before;
}
