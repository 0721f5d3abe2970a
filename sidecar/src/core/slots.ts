/** Has something that waits take a slot that is free; false: nothing waits. */
export type TakeUp = () => boolean;

/** The slots of a sidecar: tasks and calls that other services make take one each, while they are worked on. */
export class Slots {
  readonly total: number;
  readonly #takers: TakeUp[] = [];
  readonly #onRoom = new Set<() => void>();
  #taken = 0;
  #turn = 0;

  constructor(total: number) {
    this.total = total;
  }

  taken(): number {
    return this.#taken;
  }

  free(): number {
    return this.total - this.#taken;
  }

  /** Takes one; false: there is none. */
  take(): boolean {
    if (this.#taken >= this.total) return false;
    this.#taken++;
    return true;
  }

  /** Frees one; what waits takes it, one kind after the other. */
  leave(): void {
    this.#taken--;
    const turns = this.#takers.length;
    for (let tried = 0; tried < turns && this.free() > 0; tried++) {
      this.#turn = (this.#turn + 1) % turns;
      this.#takers[this.#turn]?.();
    }
    this.#onRoom.forEach((listener) => listener());
  }

  /** Of one kind of what waits: asked for it when a slot has got free. */
  addTaker(taker: TakeUp): void {
    this.#takers.push(taker);
  }

  /** Called each time a slot has got free, and nothing that waited here took it or did. Returns how to stop that. */
  onRoom(listener: () => void): () => void {
    this.#onRoom.add(listener);
    return () => void this.#onRoom.delete(listener);
  }
}

/**
 * Whether a calling service may have one more call under way, or waiting, at a sidecar: while it has fewer than are left to the others. One alone gets half of the slots, two a
 * third each, and so on: one that comes finds some, however greedy the rest are. One slot is kept for tasks, where there is more than one.
 */
export function mayCallMore(own: number, all: number, slots: number): boolean {
  return own < Math.max(1, slots - 1) - all;
}
