import { gunzip, inflate } from "node:zlib";

/** So much comes out at a time: each time is a way to another thread and back. */
const chunkSize = 64 * 1024;

/** Who has something to unpack. */
export interface Packed {
  readonly bytes: Uint8Array;
  /** "gzip" unless told. */
  readonly encoding?: "gzip" | "deflate";
  /** Nobody needs it any more. */
  isOver(): boolean;
  /** What came out, or why nothing did. */
  onUnpacked(unpacked: Uint8Array | NodeJS.ErrnoException): void;
}

/**
 * Unpacks one thing after the other. All of them at once would each hold all of what comes out before anybody has counted it: a thousand requests of 4 KB
 * are 4 GB then. As many wait as there are calls.
 */
export class Unpacker {
  readonly #bytesMax: number;
  readonly #waiting: Packed[] = [];
  #isBusy = false;

  /** What has more than `bytesMax`, unpacked, is an error with the code ERR_BUFFER_TOO_LARGE. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  add(packed: Packed): void {
    this.#waiting.push(packed);
    if (!this.#isBusy) this.#next();
  }

  #next(): void {
    let packed = this.#waiting.shift();
    while (packed?.isOver() === true) packed = this.#waiting.shift();
    this.#isBusy = packed !== undefined;
    if (packed === undefined) return;
    const { bytes, encoding = "gzip" } = packed;
    const unpack = encoding === "gzip" ? gunzip : inflate;
    unpack(bytes, { maxOutputLength: this.#bytesMax, chunkSize }, (error, unpacked) => {
      packed.onUnpacked(error ?? unpacked);
      this.#next();
    });
  }
}
