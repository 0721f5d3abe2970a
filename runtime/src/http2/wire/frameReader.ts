import { errorCode, frameBytesDefault, frameFlag, frameHeaderBytes, frameType, Http2Error, uint31At } from "./frame.ts";

/** What comes out of a stream of bytes. The bytes it is handed lie in the chunk: they are to be copied by who keeps them. */
export interface FrameSink {
  /** A piece of a DATA frame's content; `flowBytes` counts padding too. `isEnd`: the stream ends with it. */
  onContent(streamId: number, piece: Uint8Array, flowBytes: number, isEnd: boolean): void;
  /** HEADERS with all of its CONTINUATIONs, padding and priority left out. */
  onBlock(streamId: number, block: Uint8Array, isEnd: boolean): void;
  /** Any other frame, whole and of the right size. */
  onFrame(type: number, flags: number, streamId: number, content: Uint8Array): void;
}

/** Of a compressed block of headers: HPACK makes it smaller than what it stands for, so the list's own bound comes first. */
const blockBytesMax = 256 * 1024;
/** A block of our size needs few; empty ones could go on for ever. */
const continuationsMax = 64;
const nothing = new Uint8Array();

/**
 * Cuts a stream of bytes into frames, however it comes in pieces (RFC 9113, sections 4 and 6). Holds at most one frame that is not whole
 * and one block of headers; DATA is passed on as it comes. Throws `Http2Error`.
 */
export class FrameReader {
  readonly #sink: FrameSink;
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #wantedBytes = frameHeaderBytes;
  /** The DATA frame whose content is coming. */
  #streamId = 0;
  #contentLeft = 0;
  #paddingLeft = 0;
  #isEnd = false;
  /** The stream whose block of headers goes on; 0: none. */
  #blockOf = 0;
  #blockCount = 0;
  #blockParts: Uint8Array[] = [];
  #blockBytes = 0;
  #isBlockEnd = false;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Number of the block of headers that is not whole yet, of those that came in pieces; 0: there is none. */
  get openBlock(): number {
    return this.#blockOf === 0 ? 0 : this.#blockCount;
  }

  push(chunk: Uint8Array): void {
    let bytes = chunk;
    if (this.#heldBytes > 0) {
      this.#hold(chunk);
      if (this.#heldBytes < this.#wantedBytes) return;
      bytes = joined(this.#held, this.#heldBytes);
      this.#held = [];
      this.#heldBytes = 0;
    }
    let at = 0;
    while (at < bytes.length) {
      if (this.#contentLeft + this.#paddingLeft > 0) at = this.#takeContent(bytes, at);
      else {
        const next = this.#takeFrame(bytes, at);
        if (next === at) return this.#hold(bytes.subarray(at));
        at = next;
      }
    }
  }

  #hold(bytes: Uint8Array): void {
    this.#held.push(new Uint8Array(bytes));
    this.#heldBytes += bytes.length;
  }

  /** Returns where the next one begins; the same place when this one is not whole. */
  #takeFrame(bytes: Uint8Array, at: number): number {
    const left = bytes.length - at;
    if (left < frameHeaderBytes) return this.#wait(frameHeaderBytes, at);
    const length = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    const type = bytes[at + 3] ?? 0;
    const flags = bytes[at + 4] ?? 0;
    const streamId = uint31At(bytes, at + 5);
    checkShape(type, flags, streamId, length);
    if (this.#blockOf !== 0 && (type !== frameType.CONTINUATION || streamId !== this.#blockOf))
      throw new Http2Error(errorCode.PROTOCOL_ERROR, "another frame came within a block of headers");
    if (type === frameType.DATA) return this.#beginContent(bytes, at, length, flags, streamId);
    const end = at + frameHeaderBytes + length;
    if (bytes.length < end) return this.#wait(frameHeaderBytes + length, at);
    const content = bytes.subarray(at + frameHeaderBytes, end);
    if (type === frameType.HEADERS) this.#beginBlock(content, flags, streamId);
    else if (type === frameType.CONTINUATION) this.#continueBlock(content, flags, streamId);
    else this.#sink.onFrame(type, flags, streamId, content);
    return end;
  }

  #wait(wantedBytes: number, at: number): number {
    this.#wantedBytes = wantedBytes;
    return at;
  }

  #beginContent(bytes: Uint8Array, at: number, length: number, flags: number, streamId: number): number {
    const isEnd = (flags & frameFlag.END_STREAM) !== 0;
    const start = at + frameHeaderBytes;
    if ((flags & frameFlag.PADDED) === 0) {
      const end = start + length;
      if (end <= bytes.length) {
        this.#sink.onContent(streamId, bytes.subarray(start, end), length, isEnd);
        return end;
      }
      this.#expectContent(streamId, length, 0, isEnd);
      return start;
    }
    if (length > 0 && bytes.length <= start) return this.#wait(frameHeaderBytes + 1, at);
    const padding = paddingOf(bytes, start, length);
    // The byte that tells the padding's length counts too; with it the end is told when nothing else comes.
    this.#sink.onContent(streamId, nothing, 1, isEnd && length === 1);
    this.#expectContent(streamId, length - 1 - padding, padding, isEnd);
    return start + 1;
  }

  #expectContent(streamId: number, content: number, padding: number, isEnd: boolean): void {
    this.#streamId = streamId;
    this.#contentLeft = content;
    this.#paddingLeft = padding;
    this.#isEnd = isEnd;
  }

  #takeContent(bytes: Uint8Array, at: number): number {
    const content = Math.min(this.#contentLeft, bytes.length - at);
    const padding = Math.min(this.#paddingLeft, bytes.length - at - content);
    this.#contentLeft -= content;
    this.#paddingLeft -= padding;
    const isEnd = this.#isEnd && this.#contentLeft + this.#paddingLeft === 0;
    this.#sink.onContent(this.#streamId, bytes.subarray(at, at + content), content + padding, isEnd);
    return at + content + padding;
  }

  #beginBlock(content: Uint8Array, flags: number, streamId: number): void {
    const isEnd = (flags & frameFlag.END_STREAM) !== 0;
    let start = 0;
    let end = content.length;
    if ((flags & frameFlag.PADDED) !== 0) {
      end -= paddingOf(content, 0, content.length);
      start = 1;
    }
    if ((flags & frameFlag.PRIORITY) !== 0) start += 5;
    if (start > end) throw new Http2Error(errorCode.PROTOCOL_ERROR, "a HEADERS frame is shorter than its padding");
    // A view costs more than it looks: none is made where it would show the same.
    const part = start === 0 && end === content.length ? content : content.subarray(start, end);
    if ((flags & frameFlag.END_HEADERS) !== 0) return this.#sink.onBlock(streamId, part, isEnd);
    this.#blockOf = streamId;
    this.#blockCount += 1;
    this.#isBlockEnd = isEnd;
    this.#addToBlock(part);
  }

  #continueBlock(content: Uint8Array, flags: number, streamId: number): void {
    if (this.#blockOf === 0) throw new Http2Error(errorCode.PROTOCOL_ERROR, "a CONTINUATION continues nothing");
    this.#addToBlock(content);
    if ((flags & frameFlag.END_HEADERS) === 0) return;
    const block = joined(this.#blockParts, this.#blockBytes);
    this.#blockOf = 0;
    this.#blockParts = [];
    this.#blockBytes = 0;
    this.#sink.onBlock(streamId, block, this.#isBlockEnd);
  }

  #addToBlock(part: Uint8Array): void {
    this.#blockParts.push(new Uint8Array(part));
    this.#blockBytes += part.length;
    if (this.#blockBytes > blockBytesMax || this.#blockParts.length > continuationsMax)
      throw new Http2Error(errorCode.ENHANCE_YOUR_CALM, "a block of headers does not end");
  }
}

/** Length of the padding that the first byte of a frame's content tells. */
function paddingOf(bytes: Uint8Array, start: number, length: number): number {
  const padding = bytes[start] ?? 0;
  if (length === 0 || padding >= length)
    throw new Http2Error(errorCode.PROTOCOL_ERROR, "a frame has more padding than content");
  return padding;
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const [first] = parts;
  if (first !== undefined && parts.length === 1) return first;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Sizes, and whether a frame is of a stream or of the connection. */
function checkShape(type: number, flags: number, streamId: number, length: number): void {
  if (length > frameBytesDefault) throw wrongSize(type, length);
  switch (type) {
    case frameType.DATA:
    case frameType.HEADERS:
    case frameType.CONTINUATION:
      return ofStream(type, streamId);
    case frameType.PRIORITY:
      if (length !== 5) throw wrongSize(type, length);
      return ofStream(type, streamId);
    case frameType.RST_STREAM:
      if (length !== 4) throw wrongSize(type, length);
      return ofStream(type, streamId);
    case frameType.SETTINGS:
      if (length % 6 !== 0 || ((flags & frameFlag.ACK) !== 0 && length > 0)) throw wrongSize(type, length);
      return ofConnection(type, streamId);
    case frameType.PING:
      if (length !== 8) throw wrongSize(type, length);
      return ofConnection(type, streamId);
    case frameType.GOAWAY:
      if (length < 8) throw wrongSize(type, length);
      return ofConnection(type, streamId);
    case frameType.WINDOW_UPDATE:
      if (length !== 4) throw wrongSize(type, length);
      return undefined;
    case frameType.PUSH_PROMISE:
      throw new Http2Error(errorCode.PROTOCOL_ERROR, "a push came although it was switched off");
    // Types that nobody knows are left alone (section 4.1).
    default:
      return undefined;
  }
}

function ofStream(type: number, streamId: number): void {
  if (streamId === 0) throw new Http2Error(errorCode.PROTOCOL_ERROR, `a frame of type ${type} belongs to no stream`);
}

function ofConnection(type: number, streamId: number): void {
  if (streamId !== 0) throw new Http2Error(errorCode.PROTOCOL_ERROR, `a frame of type ${type} belongs to a stream`);
}

function wrongSize(type: number, length: number): Http2Error {
  return new Http2Error(errorCode.FRAME_SIZE_ERROR, `a frame of type ${type} has ${length} bytes`);
}
