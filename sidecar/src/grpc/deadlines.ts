import { performance } from "node:perf_hooks";

/** Something that has to be over in time. */
export interface Timed {
  isOver(): boolean;
  /** Its time is over and it is not. */
  expire(): void;
}

type Entry = { readonly dueMs: number; readonly timed: Timed };

/** So many that are over may always lie among those that are not. */
const overMin = 64;
const timerMsMax = 2 ** 31 - 1;

/**
 * The deadlines of many calls on one timer. Nearly all calls are over long before theirs, so an entry is not taken out when its call is:
 * now and then those are swept away together, which costs a call next to nothing.
 */
export class Deadlines implements Disposable {
  /** In the order of their time. */
  #entries: Entry[] = [];
  #live = 0;
  #timer: NodeJS.Timeout | undefined;
  #timerDueMs = Number.POSITIVE_INFINITY;

  /** Expires it after so long, unless it is over by then. */
  add(timed: Timed, inMs: number): void {
    const dueMs = performance.now() + inMs;
    this.#live += 1;
    const last = this.#entries.at(-1);
    if (last === undefined || last.dueMs <= dueMs) this.#entries.push({ dueMs, timed });
    else this.#entries.splice(placeOf(this.#entries, dueMs), 0, { dueMs, timed });
    if (dueMs < this.#timerDueMs) this.#arm(dueMs);
  }

  /** One that was added is over. */
  over(): void {
    this.#live -= 1;
    if (this.#entries.length > 2 * this.#live + overMin)
      this.#entries = this.#entries.filter(({ timed }) => !timed.isOver());
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#timerDueMs = Number.NEGATIVE_INFINITY;
    this.#entries = [];
  }

  #arm(dueMs: number): void {
    clearTimeout(this.#timer);
    this.#timerDueMs = dueMs;
    const inMs = Math.min(Math.max(dueMs - performance.now(), 1), timerMsMax);
    // A call under way has a connection, which keeps the process alive.
    this.#timer = setTimeout(() => this.#expire(), inMs).unref();
  }

  #expire(): void {
    const due = this.#entries.splice(0, placeOf(this.#entries, performance.now()));
    for (const { timed } of due) if (!timed.isOver()) timed.expire();
    this.#timerDueMs = Number.POSITIVE_INFINITY;
    const next = this.#entries.findIndex(({ timed }) => !timed.isOver());
    this.#entries.splice(0, next < 0 ? this.#entries.length : next);
    const [first] = this.#entries;
    if (first !== undefined) this.#arm(first.dueMs);
  }
}

/** Where something of that time goes: behind all that are due by then. */
function placeOf(entries: readonly Entry[], dueMs: number): number {
  let from = 0;
  let to = entries.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((entries[middle]?.dueMs ?? 0) <= dueMs) from = middle + 1;
    else to = middle;
  }
  return from;
}
