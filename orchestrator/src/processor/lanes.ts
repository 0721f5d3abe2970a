/** Does what is asked for under one name one after the other, in order; `full`: too much waits there already. */
export type Lanes<Name> = <T>(name: Name, run: () => Promise<T>) => Promise<T | "full">;

/** Lanes in which at most `max` wait or run. */
export function openLanes<Name>(max: number): Lanes<Name> {
  const lanes = new Map<Name, { last: Promise<unknown>; count: number }>();
  return async (name, run) => {
    const lane = lanes.get(name) ?? { last: Promise.resolve(), count: 0 };
    if (lane.count >= max) return "full";
    lanes.set(name, lane);
    lane.count++;
    const mine = lane.last.then(run);
    lane.last = mine.catch(() => undefined);
    try {
      return await mine;
    } finally {
      lane.count--;
      if (lane.count === 0) lanes.delete(name);
    }
  };
}
