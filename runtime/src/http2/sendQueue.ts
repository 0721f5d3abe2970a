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
  /** It has its turn as soon as the connection takes something; kept by the queue. */
  isInTurn: boolean;
}

/** So much may lie before the socket: more would only be memory. */
const backlogBytesMax = 256 * 1024;
/** Streams take turns frame by frame, so frames stay small enough for a turn to come. */
const pieceBytesMax = 64 * 1024;

/**
 * Sends content as far as the peer's windows and the socket take them (RFC 9113, section 5.2); the rest waits in turn. A stream whose own window is
 * used up has no turn: however many there are, a peer that opens windows byte by byte makes nobody look at all of them.
 */
export class SendQueue<T extends Sending> {
  readonly #outbox: Outbox;
  readonly #unwrittenBytes: () => number;
  readonly #onSent: (stream: T) => void;
  /** Whose turn is next comes first. */
  readonly #turns: T[] = [];
  #sentCount = 0;
  #window = settingsDefault.windowBytes;
  #pieceBytes = settingsDefault.frameBytes;

  /** `unwrittenBytes`: what the socket holds. `onSent`: all of a stream's content that waited has gone out. */
  constructor(outbox: Outbox, unwrittenBytes: () => number, onSent: (stream: T) => void = () => undefined) {
    this.#outbox = outbox;
    this.#unwrittenBytes = unwrittenBytes;
    this.#onSent = onSent;
  }

  /** Grows with each piece of content that is sent. */
  get sentCount(): number {
    return this.#sentCount;
  }

  /** Largest piece of content that goes out at once; nothing is taken from the windows. */
  roomFor(stream: T): number {
    return Math.min(this.#window, stream.sendWindow, this.#pieceBytes);
  }

  /** Notes that a stream has sent so many bytes. */
  took(stream: T, bytes: number): void {
    this.#window -= bytes;
    stream.sendWindow -= bytes;
    this.#sentCount += 1;
  }

  limitFrames(frameBytes: number): void {
    this.#pieceBytes = Math.min(frameBytes, pieceBytesMax);
  }

  /** The peer takes more over all streams. Throws `Http2Error` when that is nothing, or more than a window can be. */
  grow(bytes: number): void {
    if (bytes === 0) throw new Http2Error(errorCode.PROTOCOL_ERROR, "a window grows by nothing");
    this.#window += bytes;
    if (this.#window > uint31Max)
      throw new Http2Error(errorCode.FLOW_CONTROL_ERROR, "the connection's window overflows");
    this.pump();
  }

  /** A stream has something to send, or its window has grown. */
  begin(stream: T): void {
    this.#queue(stream);
    this.pump();
  }

  /** The windows of all streams have changed. */
  beginAll(streams: readonly T[]): void {
    for (const stream of streams) this.#queue(stream);
    this.pump();
  }

  /** Nothing of a stream is to be sent any more. */
  forget(stream: T): void {
    stream.unsent = [];
    if (!stream.isInTurn) return;
    stream.isInTurn = false;
    this.#turns.splice(this.#turns.indexOf(stream), 1);
  }

  /** So much waits for the socket that more would only be memory. */
  isBehind(): boolean {
    return this.#outbox.pendingBytes + this.#unwrittenBytes() >= backlogBytesMax;
  }

  /** Sends what can be sent now. */
  pump(): void {
    while (this.#turns.length > 0 && this.#window > 0) {
      if (this.isBehind()) return;
      const stream = this.#turns.shift();
      if (stream === undefined) return;
      stream.isInTurn = false;
      this.#sendPiece(stream);
      if (stream.unsent.length > 0) this.#queue(stream);
      else this.#onSent(stream);
    }
  }

  #queue(stream: T): void {
    if (stream.isInTurn || stream.sendWindow <= 0 || stream.unsent.length === 0) return;
    stream.isInTurn = true;
    this.#turns.push(stream);
  }

  #sendPiece(stream: T): void {
    const [piece, ...others] = stream.unsent;
    const bytes = Math.min(piece?.length ?? 0, this.roomFor(stream));
    // Its window may have become smaller since it was given its turn.
    if (piece === undefined || bytes <= 0) return;
    const isWhole = bytes === piece.length;
    stream.unsent = isWhole ? others : [piece.subarray(bytes), ...others];
    this.took(stream, bytes);
    const isEnd = stream.endsWithContent && stream.unsent.length === 0;
    writeContent(this.#outbox, stream.id, isWhole ? piece : piece.subarray(0, bytes), isEnd);
  }
}
