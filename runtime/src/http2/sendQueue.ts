import { writeContent } from "./frameWriter.ts";
import type { Outbox } from "./outbox.ts";
import { errorCode, Http2Error, uint31Max } from "./wire/frame.ts";
import { settingsDefault } from "./wire/settings.ts";

/** A stream, as far as sending is concerned. */
export interface Sending {
  readonly id: number;
  /** What the peer still takes; negative after it has made its windows smaller. */
  sendWindow: number;
  /** What is to be sent, no piece of it empty. */
  unsent: readonly Uint8Array[];
  /** Nothing is sent after its content. */
  readonly endsWithContent: boolean;
}

/** So much may lie before the socket: more would only be memory. */
const backlogBytesMax = 256 * 1024;
/** Streams take turns frame by frame, so frames stay small enough for a turn to come. */
const pieceBytesMax = 64 * 1024;

/** Sends content as far as the peer's windows and the socket take them (RFC 9113, section 5.2); the rest waits in turn. */
export class SendQueue<T extends Sending> {
  readonly #outbox: Outbox;
  readonly #unwrittenBytes: () => number;
  readonly #onSent: (stream: T) => void;
  /** Whose turn is next comes first. */
  readonly #sending: T[] = [];
  #window = settingsDefault.windowBytes;
  #pieceBytes = settingsDefault.frameBytes;

  /** `unwrittenBytes`: what the socket holds. `onSent`: all of a stream's content that waited has gone out. */
  constructor(outbox: Outbox, unwrittenBytes: () => number, onSent: (stream: T) => void = () => undefined) {
    this.#outbox = outbox;
    this.#unwrittenBytes = unwrittenBytes;
    this.#onSent = onSent;
  }

  /** True while content waits for room. */
  isWaiting(): boolean {
    return this.#sending.length > 0;
  }

  /** Largest piece of content that goes out at once; nothing is taken from the windows. */
  roomFor(stream: T): number {
    return Math.min(this.#window, stream.sendWindow, this.#pieceBytes);
  }

  /** Notes that a stream has sent so many bytes. */
  took(stream: T, bytes: number): void {
    this.#window -= bytes;
    stream.sendWindow -= bytes;
  }

  limitFrames(frameBytes: number): void {
    this.#pieceBytes = Math.min(frameBytes, pieceBytesMax);
  }

  /** The peer takes more over all streams. Throws `Http2Error` when that is more than a window can be. */
  grow(bytes: number): void {
    this.#window += bytes;
    if (this.#window > uint31Max)
      throw new Http2Error(errorCode.FLOW_CONTROL_ERROR, "the connection's window overflows");
    this.pump();
  }

  begin(stream: T): void {
    this.#sending.push(stream);
    this.pump();
  }

  forget(stream: T): void {
    if (stream.unsent.length === 0) return;
    const at = this.#sending.indexOf(stream);
    if (at >= 0) this.#sending.splice(at, 1);
  }

  /** So much waits for the socket that more would only be memory. */
  isBehind(): boolean {
    return this.#outbox.pendingBytes + this.#unwrittenBytes() >= backlogBytesMax;
  }

  /** Sends what can be sent now. */
  pump(): void {
    let stuck = 0;
    while (stuck < this.#sending.length && this.#window > 0) {
      if (this.isBehind()) return;
      const stream = this.#sending.shift();
      if (stream === undefined) return;
      stuck = this.#sendPiece(stream) ? 0 : stuck + 1;
      if (stream.unsent.length > 0) this.#sending.push(stream);
      else this.#onSent(stream);
    }
  }

  #sendPiece(stream: T): boolean {
    const [piece, ...others] = stream.unsent;
    const bytes = Math.min(piece?.length ?? 0, this.roomFor(stream));
    if (piece === undefined || bytes <= 0) return false;
    const isWhole = bytes === piece.length;
    stream.unsent = isWhole ? others : [piece.subarray(bytes), ...others];
    this.took(stream, bytes);
    const isEnd = stream.endsWithContent && stream.unsent.length === 0;
    writeContent(this.#outbox, stream.id, isWhole ? piece : piece.subarray(0, bytes), isEnd);
    return true;
  }
}
