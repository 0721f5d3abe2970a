/**
 * Which events of a partition still have something to become durable. The checkpoint is the highest sequence below which nothing has.
 */
export interface Unfinished {
  /** All messages up to here have been read. */
  read(sequence: number): void;
  /** One more thing to wait for at this sequence; the checkpoint goes back when it has passed it. */
  hold(sequence: number): void;
  release(sequence: number): void;
  checkpoint(): number;
  /** Held sequences. */
  count(): number;
}

const compactFrom = 1024;

/** Nothing is held, and all messages up to `after` are done. */
export function openUnfinished(after: number): Unfinished {
  const held = new Map<number, number>();
  // Ascending from `first` on; some have been released since. The first key of the map says nearly the same, but to find it takes a walk over
  // all that were deleted before it.
  let order: number[] = [];
  let first = 0;
  let last = after;
  const insert = (sequence: number): void => {
    let at = order.length;
    while (at > first && (order[at - 1] ?? 0) > sequence) at--;
    // Nearly always the end: events are held as they come.
    if (at === order.length) order.push(sequence);
    else order.splice(at, 0, sequence);
  };
  return {
    read: (sequence) => {
      if (sequence > last) last = sequence;
    },
    hold: (sequence) => {
      const count = held.get(sequence) ?? 0;
      if (count === 0) insert(sequence);
      held.set(sequence, count + 1);
    },
    release: (sequence) => {
      const count = held.get(sequence) ?? 0;
      if (count > 1) held.set(sequence, count - 1);
      else held.delete(sequence);
    },
    checkpoint: () => {
      for (; first < order.length; first++) {
        const sequence = order[first];
        if (sequence !== undefined && held.has(sequence)) return Math.max(after, Math.min(last, sequence - 1));
        if (first < compactFrom || first < order.length / 2) continue;
        order = order.slice(first);
        first = 0;
      }
      return last;
    },
    count: () => held.size,
  };
}
