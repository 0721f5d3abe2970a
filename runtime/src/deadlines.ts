import { performance } from "node:perf_hooks";

/** Something that has to be over in time. */
export interface Timed {
  /** Its time is over and it is not. */
  expire(): void;
}

/** When something is to expire; what is over holds on to nothing. */
export type Deadline = { readonly dueMs: number; timed: Timed | undefined };

/** So many that are over may always lie among those that are not. */
const overMin = 64;
const timerMsMax = 2 ** 31 - 1;

/**
 * The deadlines of many calls on one timer. Nearly all calls are over long before theirs, so an entry is not taken out when its call is:
 * now and then those are swept out together, which costs a call next to nothing.
 */
export class Deadlines implements Disposable {
  /** In the order of their time. */
  readonly #entries: Deadline[] = [];
  #live = 0;
  #timer: NodeJS.Timeout | undefined;
  #timerDueMs = Number.POSITIVE_INFINITY;

  /** Expires it after so long, unless it is over by then. */
  add(timed: Timed, inMs: number): Deadline {
    const dueMs = performance.now() + inMs;
    const entry: Deadline = { dueMs, timed };
    this.#live += 1;
    const last = this.#entries.at(-1);
    if (last === undefined || last.dueMs <= dueMs) this.#entries.push(entry);
    else this.#entries.splice(placeOf(this.#entries, dueMs), 0, entry);
    if (dueMs < this.#timerDueMs) this.#arm(dueMs);
    return entry;
  }

  /** What was to be over by then is. */
  over(entry: Deadline): void {
    if (entry.timed === undefined) return;
    entry.timed = undefined;
    this.#live -= 1;
    if (this.#entries.length > 2 * this.#live + overMin) this.#sweep();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#timerDueMs = Number.NEGATIVE_INFINITY;
    this.#entries.length = 0;
  }

  #sweep(): void {
    let kept = 0;
    for (const entry of this.#entries) {
      if (entry.timed === undefined) continue;
      this.#entries[kept] = entry;
      kept += 1;
    }
    this.#entries.length = kept;
  }

  #arm(dueMs: number): void {
    clearTimeout(this.#timer);
    this.#timerDueMs = dueMs;
    const inMs = Math.min(Math.max(dueMs - performance.now(), 1), timerMsMax);
    // A call under way has a connection, which keeps the process alive.
    this.#timer = setTimeout(() => this.#expire(), inMs).unref();
  }

  #expire(): void {
    for (const entry of this.#entries.splice(0, placeOf(this.#entries, performance.now()))) {
      const { timed } = entry;
      if (timed === undefined) continue;
      entry.timed = undefined;
      this.#live -= 1;
      timed.expire();
    }
    this.#timerDueMs = Number.POSITIVE_INFINITY;
    this.#sweep();
    const [first] = this.#entries;
    if (first !== undefined) this.#arm(first.dueMs);
  }
}

/** Where something of that time goes: behind all that are due by then. */
function placeOf(entries: readonly Deadline[], dueMs: number): number {
  let from = 0;
  let to = entries.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((entries[middle]?.dueMs ?? 0) <= dueMs) from = middle + 1;
    else to = middle;
  }
  return from;
}
