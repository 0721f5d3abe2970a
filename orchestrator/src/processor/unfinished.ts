/**
 * Which events of a partition still have something to become durable. The checkpoint is the highest sequence below which nothing has.
 */
export interface Unfinished {
  /** All messages up to here have been read. */
  read(sequence: number): void;
  /** One more thing to wait for at this sequence, which is held already or the highest so far. */
  hold(sequence: number): void;
  release(sequence: number): void;
  checkpoint(): number;
  /** Held sequences. */
  count(): number;
}

/** Nothing is held, and all messages up to `after` are done. */
export function openUnfinished(after: number): Unfinished {
  // In the order of first holding, which is that of the log.
  const held = new Map<number, number>();
  let last = after;
  return {
    read: (sequence) => {
      if (sequence > last) last = sequence;
    },
    hold: (sequence) => void held.set(sequence, (held.get(sequence) ?? 0) + 1),
    release: (sequence) => {
      const count = held.get(sequence) ?? 0;
      if (count > 1) held.set(sequence, count - 1);
      else held.delete(sequence);
    },
    checkpoint: () => {
      for (const sequence of held.keys()) return Math.max(after, Math.min(last, sequence - 1));
      return last;
    },
    count: () => held.size,
  };
}
