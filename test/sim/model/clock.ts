import { pop, push } from "../heap.ts";
import type { Due } from "../heap.ts";

/** Virtual time: what is due happens in order, at once. */
export interface Clock {
  readonly now: number;
  /** Runs `act` after a delay in milliseconds; equal times in the order of asking. */
  after(delayMs: number, act: () => void): void;
  /** Runs until nothing is due before `endMs`, or `isDone` says so. */
  run(endMs: number, isDone: () => boolean): void;
}

interface Act extends Due {
  readonly act: () => void;
}

/** A clock that stands at `startMs`. */
export function openClock(startMs: number): Clock {
  const heap: Act[] = [];
  let now = startMs;
  let order = 0;
  return {
    get now() {
      return now;
    },
    after(delayMs, act) {
      push(heap, { at: now + Math.max(delayMs, 0), order: order++, act });
    },
    run(endMs, isDone) {
      for (let next = heap[0]; next !== undefined && next.at <= endMs; next = heap[0]) {
        pop(heap);
        now = next.at;
        next.act();
        if (isDone()) return;
      }
    },
  };
}
