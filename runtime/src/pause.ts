import { setTimeout as wait } from "node:timers/promises";

/** Waits, at most until `signal` aborts; never throws. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  await wait(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
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
