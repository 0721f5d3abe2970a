const slabBytesDefault = 64 * 1024;

/**
 * What is to be sent, collected over one turn of the event loop and written at its end with one call. Small things are written into a
 * buffer of its own, one after the other; large ones are passed on as they are.
 */
export class Outbox {
  readonly #write: (pieces: readonly Uint8Array[]) => boolean;
  readonly #onFlushed: () => void;
  readonly #flushSoon = (): void => this.flush();
  #pieces: Uint8Array[] = [];
  readonly #slabBytes: number;
  #slab: Buffer;
  #from = 0;
  #to = 0;
  #pendingBytes = 0;
  #isFlushDue = false;

  /** `write` says whether the pieces are out of its hands: then their memory is used again. `onFlushed` may fill the next turn's. */
  constructor(
    write: (pieces: readonly Uint8Array[]) => boolean,
    onFlushed: () => void,
    slabBytes: number = slabBytesDefault,
  ) {
    this.#slabBytes = slabBytes;
    this.#slab = Buffer.allocUnsafeSlow(slabBytes);
    this.#write = write;
    this.#onFlushed = onFlushed;
  }

  /** Where the claimed bytes lie. */
  get slab(): Buffer {
    return this.#slab;
  }

  /** Bytes that are not handed over yet. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Makes room in `slab` for so many bytes and tells where; they are to be filled before anything else is claimed. */
  claim(bytes: number): number {
    if (this.#slab.length - this.#to < bytes) {
      this.#seal();
      this.#slab = Buffer.allocUnsafeSlow(Math.max(this.#slabBytes, bytes));
      this.#from = 0;
      this.#to = 0;
    }
    const at = this.#to;
    this.#to += bytes;
    this.#sendSoon(bytes);
    return at;
  }

  /** Sends a piece as it is; nobody may change it any more. */
  append(piece: Uint8Array): void {
    this.#seal();
    this.#pieces.push(piece);
    this.#sendSoon(piece.length);
  }

  /** Hands all of it over now. */
  flush(): void {
    this.#isFlushDue = false;
    this.#seal();
    if (this.#pieces.length === 0) return;
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#pendingBytes = 0;
    if (this.#write(pieces)) {
      this.#from = 0;
      this.#to = 0;
    }
    this.#onFlushed();
  }

  #seal(): void {
    if (this.#to > this.#from) this.#pieces.push(this.#slab.subarray(this.#from, this.#to));
    this.#from = this.#to;
  }

  #sendSoon(bytes: number): void {
    this.#pendingBytes += bytes;
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    setImmediate(this.#flushSoon);
  }
}
