/** Everything that chance decides in a simulation comes from one seed. */
export interface Random {
  /** In [0, 1). */
  next(): number;
  /** A whole number, both ends included. */
  int(from: number, to: number): number;
  /** True with probability p. */
  chance(p: number): boolean;
  pick<T>(choices: readonly T[]): T;
}

/** mulberry32. */
export function toRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const int = (from: number, to: number): number => from + Math.floor(next() * (to - from + 1));
  return {
    next,
    int,
    chance: (p) => next() < p,
    pick: (choices) => {
      const found = choices[int(0, choices.length - 1)];
      if (found === undefined) throw new Error("nothing to pick from");
      return found;
    },
  };
}
