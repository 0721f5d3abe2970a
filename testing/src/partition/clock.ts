import { pop, push } from "./heap.ts";
import type { Due } from "./heap.ts";

/** Virtual time: what is due happens in order, at once. */
export interface Clock {
  readonly now: number;
  /** When the next thing is due; undefined: nothing is. */
  readonly nextMs: number | undefined;
  /** Runs `act` after a delay in milliseconds; equal times in the order of asking. */
  after(delayMs: number, act: () => void): void;
  /** Does the next thing, at its time; false: nothing is due. */
  step(): boolean;
  /** Lets time pass up to then, where nothing is due before. */
  passTo(ms: number): void;
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
  const step = (): boolean => {
    const next = pop(heap);
    if (next === undefined) return false;
    now = next.at;
    next.act();
    return true;
  };
  return {
    get now() {
      return now;
    },
    get nextMs() {
      return heap[0]?.at;
    },
    after(delayMs, act) {
      push(heap, { at: now + Math.max(delayMs, 0), order: order++, act });
    },
    step,
    passTo(ms) {
      if (ms > now) now = Math.min(ms, heap[0]?.at ?? ms);
    },
    run(endMs, isDone) {
      for (let next = heap[0]; next !== undefined && next.at <= endMs; next = heap[0]) {
        step();
        if (isDone()) return;
      }
    },
  };
}
