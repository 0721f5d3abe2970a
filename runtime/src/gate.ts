/** Lets so many through at a time; the others wait in order. */
export function openGate(atOnce: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let inside = 0;
  return async (work) => {
    if (inside < atOnce) inside += 1;
    else await new Promise<void>((resolve) => void waiting.push(resolve));
    try {
      return await work();
    } finally {
      // Whoever comes next takes the place of who leaves.
      const next = waiting.shift();
      if (next === undefined) inside -= 1;
      else setImmediate(next);
    }
  };
}
