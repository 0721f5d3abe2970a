/** Waits, at most until `signal` aborts; never throws. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) {
      resolve();
      return;
    }
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener("abort", end, { once: true });
  });
}

/** Pauses that double from `firstMs` to `maxMs`, each shortened by up to a half so that many waiters don't come back together. */
export function growingPause(firstMs: number, maxMs: number, random: () => number = Math.random): () => number {
  let next = firstMs;
  return () => {
    const now = next * (1 - random() / 2);
    next = Math.min(next * 2, maxMs);
    return now;
  };
}
