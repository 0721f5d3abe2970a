const slotsMin = 64;

/**
 * The open streams by their numbers. A Map would do, but one whose entries come and go by the thousand leaves a trail of tables that the
 * garbage collector takes for living; this one stays where it is. Numbers follow each other, so most lie in the slot of their own.
 */
export class StreamTable<T extends { readonly id: number }> {
  #slots: (T | undefined)[] = emptySlots(slotsMin);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: number): T | undefined {
    const mask = this.#slots.length - 1;
    for (let at = (id >>> 1) & mask; ; at = (at + 1) & mask) {
      const stream = this.#slots[at];
      if (stream === undefined || stream.id === id) return stream;
    }
  }

  /** Takes one whose number is not in it. */
  add(stream: T): void {
    // At most half full, so that a search soon meets an empty slot.
    if (this.#size * 2 >= this.#slots.length) this.#grow();
    this.#size += 1;
    this.#put(stream);
  }

  delete(id: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let hole = (id >>> 1) & mask;
    for (let stream = slots[hole]; stream?.id !== id; stream = slots[hole]) {
      if (stream === undefined) return;
      hole = (hole + 1) & mask;
    }
    this.#size -= 1;
    // Those behind it that were pushed on move up, so that no search ends in the hole.
    for (let at = (hole + 1) & mask; ; at = (at + 1) & mask) {
      const stream = slots[at];
      if (stream === undefined) break;
      const home = (stream.id >>> 1) & mask;
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      slots[hole] = stream;
      hole = at;
    }
    slots[hole] = undefined;
  }

  /** All that are in it now, in no order. */
  values(): readonly T[] {
    return this.#slots.filter((stream) => stream !== undefined);
  }

  #put(stream: T): void {
    const mask = this.#slots.length - 1;
    let at = (stream.id >>> 1) & mask;
    while (this.#slots[at] !== undefined) at = (at + 1) & mask;
    this.#slots[at] = stream;
  }

  #grow(): void {
    const streams = this.values();
    this.#slots = emptySlots(this.#slots.length * 2);
    for (const stream of streams) this.#put(stream);
  }
}

function emptySlots<T>(count: number): (T | undefined)[] {
  return Array.from({ length: count }, () => undefined);
}
