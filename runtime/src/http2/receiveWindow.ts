/** What a peer may still send us, on a stream or over all: given back in large steps, not frame by frame. What comes is taken at once. */
export class ReceiveWindow {
  readonly #bytesMax: number;
  #used = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Takes bytes that came; returns how many to give back now, none until half of the window is used. */
  take(bytes: number): number {
    this.#used += bytes;
    if (this.#used * 2 < this.#bytesMax) return 0;
    const used = this.#used;
    this.#used = 0;
    return used;
  }
}
