const slotsMin = 64;

/**
 * What is under way, by its key. A Map would do, but one whose entries come and go by the thousand leaves a trail of tables that the garbage collector
 * takes for living, with all that they once held; this one stays where it is. In no order.
 */
export class KeyTable<T extends { readonly key: string }> {
  #slots: (T | undefined)[] = emptySlots(slotsMin);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: string): T | undefined {
    const mask = this.#slots.length - 1;
    for (let at = hashOf(key) & mask; ; at = (at + 1) & mask) {
      const one = this.#slots[at];
      if (one === undefined || one.key === key) return one;
    }
  }

  /** Takes one whose key is not in it. */
  add(one: T): void {
    // At most half full, so that a search soon meets an empty slot.
    if (this.#size * 2 >= this.#slots.length) this.#grow();
    this.#size += 1;
    this.#put(one);
  }

  /** False when it is not there. */
  delete(key: string): boolean {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let hole = hashOf(key) & mask;
    for (let one = slots[hole]; one?.key !== key; one = slots[hole]) {
      if (one === undefined) return false;
      hole = (hole + 1) & mask;
    }
    this.#size -= 1;
    // Those behind it that were pushed on move up, so that no search ends in the hole.
    for (let at = (hole + 1) & mask; ; at = (at + 1) & mask) {
      const one = slots[at];
      if (one === undefined) break;
      if (((at - hashOf(one.key)) & mask) < ((at - hole) & mask)) continue;
      slots[hole] = one;
      hole = at;
    }
    slots[hole] = undefined;
    return true;
  }

  /** All that are in it now. */
  values(): readonly T[] {
    return this.#slots.filter((one) => one !== undefined);
  }

  #put(one: T): void {
    const mask = this.#slots.length - 1;
    let at = hashOf(one.key) & mask;
    while (this.#slots[at] !== undefined) at = (at + 1) & mask;
    this.#slots[at] = one;
  }

  #grow(): void {
    const all = this.values();
    this.#slots = emptySlots(this.#slots.length * 2);
    for (const one of all) this.#put(one);
  }
}

function emptySlots<T>(count: number): (T | undefined)[] {
  return Array.from({ length: count }, () => undefined);
}

/** FNV-1a, its high bits brought down. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at += 1) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  return hash ^ (hash >>> 15);
}
