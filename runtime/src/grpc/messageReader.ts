import { uint32At } from "../http2/wire/frame.ts";
import type { CallFrame } from "./callFrames.ts";

/** Compressed or not, then the length. */
const prefixBytes = 5;
const roomBytesMin = 1_024;

/** Cuts a stream of gRPC messages, however it comes in pieces, and hands each on as soon as it is whole. */
export class MessageReader {
  readonly #bytesMax: number;
  readonly #onMessage: (message: CallFrame) => void;
  #room: Uint8Array = new Uint8Array(roomBytesMin);
  #length = 0;

  constructor(bytesMax: number, onMessage: (message: CallFrame) => void) {
    this.#bytesMax = bytesMax;
    this.#onMessage = onMessage;
  }

  /** Takes a copy of the next piece; false: a message is larger than it may be. */
  take(piece: Uint8Array): boolean {
    this.#hold(piece);
    let at = 0;
    let isFit = true;
    while (this.#length - at >= prefixBytes) {
      const size = uint32At(this.#room, at + 1);
      isFit = size <= this.#bytesMax;
      const end = at + prefixBytes + size;
      if (!isFit || end > this.#length) break;
      this.#onMessage({ isCompressed: this.#room[at] !== 0, bytes: this.#room.slice(at + prefixBytes, end) });
      at = end;
    }
    this.#room.copyWithin(0, at, this.#length);
    this.#length -= at;
    return isFit;
  }

  /** No message has begun that is not whole. */
  isBetween(): boolean {
    return this.#length === 0;
  }

  #hold(piece: Uint8Array): void {
    const length = this.#length + piece.length;
    if (length > this.#room.length) {
      const larger = new Uint8Array(2 * length);
      larger.set(this.#room.subarray(0, this.#length));
      this.#room = larger;
    }
    this.#room.set(piece, this.#length);
    this.#length = length;
  }
}
