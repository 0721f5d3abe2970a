/** Virtual time: what is due happens in order, at once. */
export interface Clock {
  readonly now: number;
  /** Runs `act` after a delay in milliseconds; equal times in the order of asking. */
  after(delayMs: number, act: () => void): void;
  /** Runs until nothing is due before `endMs`, or `isDone` says so. */
  run(endMs: number, isDone: () => boolean): void;
}

interface Due {
  readonly at: number;
  readonly order: number;
  readonly act: () => void;
}

/** A clock that stands at `startMs`. */
export function openClock(startMs: number): Clock {
  const heap: Due[] = [];
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

function before(a: Due, b: Due): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

function push(heap: Due[], due: Due): void {
  let at = heap.length;
  heap.push(due);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = heap[parent];
    if (above === undefined || !before(due, above)) break;
    heap[at] = above;
    at = parent;
  }
  heap[at] = due;
}

function pop(heap: Due[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    const left = heap[child];
    if (left === undefined) break;
    const right = heap[child + 1];
    if (right !== undefined && before(right, left)) child += 1;
    const smaller = heap[child];
    if (smaller === undefined || !before(smaller, last)) break;
    heap[at] = smaller;
    at = child;
  }
  heap[at] = last;
}
