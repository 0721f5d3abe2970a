/** How much a peer may still send us, on a stream or in all: given back in large steps, not frame by frame. */
export class ReceiveWindow {
  readonly #bytesMax: number;
  #used = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Takes bytes that came; false when the peer had no right to send them. */
  take(bytes: number): boolean {
    this.#used += bytes;
    return this.#used <= this.#bytesMax;
  }

  /** How much to give back now: nothing until half of the window is used. */
  giveBack(): number {
    if (this.#used * 2 < this.#bytesMax) return 0;
    const bytes = this.#used;
    this.#used = 0;
    return bytes;
  }
}
