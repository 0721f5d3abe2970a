/** Lets some run at a time; the others wait in order. */
export type Gate = <T>(run: () => Promise<T>) => Promise<T>;

/** A gate for `max` at a time. `letIn` begins who has waited: at once, or, with setImmediate, behind what else the event loop has to do. */
export function openGate(max: number, letIn: (begin: () => void) => void = (begin) => begin()): Gate {
  const waiting: (() => void)[] = [];
  let inside = 0;
  return async (run) => {
    if (inside >= max) await new Promise<void>((resolve) => void waiting.push(resolve));
    else inside++;
    try {
      return await run();
    } finally {
      // Whoever comes next takes the place of who leaves.
      const next = waiting.shift();
      if (next === undefined) inside--;
      else letIn(next);
    }
  };
}
