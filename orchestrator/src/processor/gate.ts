/** Lets some run at a time; the others wait in order. */
export type Gate = <T>(run: () => Promise<T>) => Promise<T>;

/** A gate for `max` at a time. */
export function openGate(max: number): Gate {
  const queue: (() => void)[] = [];
  let open = 0;
  return async (run) => {
    if (open >= max) await new Promise<void>((resolve) => void queue.push(resolve));
    else open++;
    try {
      return await run();
    } finally {
      const next = queue.shift();
      if (next === undefined) open--;
      else next();
    }
  };
}
