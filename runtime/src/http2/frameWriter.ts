import type { Outbox } from "./outbox.ts";
import { frameFlag, frameHeaderBytes, frameType, putFrameHeader, putUint32 } from "./wire/frame.ts";
import { emptyTable } from "./wire/hpackEncoder.ts";

/** A client begins with these bytes (RFC 9113, section 3.4). */
export const preface = new TextEncoder().encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const settingBytes = 6;

/** The first bytes of a client. */
export function writePreface(outbox: Outbox): void {
  const at = outbox.claim(preface.length);
  outbox.slab.set(preface, at);
}

/** The first frames of either side: settings, and what the connection's window has over the default. */
export function writeSettings(
  outbox: Outbox,
  settings: readonly (readonly [name: number, value: number])[],
  moreWindowBytes: number,
): void {
  const length = settings.length * settingBytes;
  let next = beginFrame(outbox, length, frameType.SETTINGS, 0, 0);
  for (const [name, value] of settings) {
    outbox.slab[next] = name >>> 8;
    outbox.slab[next + 1] = name;
    putUint32(outbox.slab, next + 2, value);
    next += settingBytes;
  }
  writeUint32Frame(outbox, frameType.WINDOW_UPDATE, 0, moreWindowBytes);
}

/** Tells that the peer's settings hold from now on. */
export function writeSettingsAck(outbox: Outbox): void {
  beginFrame(outbox, 0, frameType.SETTINGS, frameFlag.ACK, 0);
}

/** A ping, or with `isAck` the answer to one; `content` is eight bytes. */
export function writePing(outbox: Outbox, content: Uint8Array, isAck: boolean): void {
  const at = beginFrame(outbox, content.length, frameType.PING, isAck ? frameFlag.ACK : 0, 0);
  outbox.slab.set(content, at);
}

/** Breaks a stream off. */
export function writeReset(outbox: Outbox, streamId: number, code: number): void {
  writeUint32Frame(outbox, frameType.RST_STREAM, streamId, code);
}

/** Lets the peer send more on a stream, or over all (0). */
export function writeWindowUpdate(outbox: Outbox, streamId: number, bytes: number): void {
  writeUint32Frame(outbox, frameType.WINDOW_UPDATE, streamId, bytes);
}

/** No stream of the peer's beyond `lastId` was looked at, or will be. */
export function writeGoAway(outbox: Outbox, lastId: number, code: number): void {
  const at = beginFrame(outbox, 8, frameType.GOAWAY, 0, 0);
  putUint32(outbox.slab, at, lastId);
  putUint32(outbox.slab, at + 4, code);
}

/** A block of headers to be written. */
export type OutgoingBlock = {
  readonly bytes: Uint8Array;
  /** So much of `bytes` is the block. */
  readonly length: number;
  /** The stream ends with it. */
  readonly isEnd: boolean;
  /** The peer waits for word that its table is empty. */
  readonly isTableCut: boolean;
};

/** Writes a block of headers in as many frames of at most `frameBytes` as it takes. */
export function writeBlock(
  outbox: Outbox,
  streamId: number,
  { bytes: block, length: blockBytes, isEnd, isTableCut }: OutgoingBlock,
  frameBytes: number,
): void {
  const lead = isTableCut ? 1 : 0;
  const first = Math.min(blockBytes, frameBytes - lead);
  const ending = isEnd ? frameFlag.END_STREAM : 0;
  let flags = ending | (first === blockBytes ? frameFlag.END_HEADERS : 0);
  let at = beginFrame(outbox, lead + first, frameType.HEADERS, flags, streamId);
  if (isTableCut) outbox.slab[at] = emptyTable;
  copy(block, 0, first, outbox.slab, at + lead);
  for (let done = first; done < blockBytes;) {
    const length = Math.min(blockBytes - done, frameBytes);
    flags = done + length === blockBytes ? frameFlag.END_HEADERS : 0;
    at = beginFrame(outbox, length, frameType.CONTINUATION, flags, streamId);
    copy(block, done, done + length, outbox.slab, at);
    done += length;
  }
}

/** Content in one frame, its first bytes apart. */
export function writeSmallContent(
  outbox: Outbox,
  streamId: number,
  lead: Uint8Array,
  body: Uint8Array,
  isEnd: boolean,
): void {
  const flags = isEnd ? frameFlag.END_STREAM : 0;
  const at = beginFrame(outbox, lead.length + body.length, frameType.DATA, flags, streamId);
  outbox.slab.set(lead, at);
  outbox.slab.set(body, at + lead.length);
}

/** A DATA frame; a large piece is not copied. */
export function writeContent(outbox: Outbox, streamId: number, piece: Uint8Array, isEnd: boolean): void {
  const flags = isEnd ? frameFlag.END_STREAM : 0;
  if (piece.length > copiedBytesMax) {
    const at = outbox.claim(frameHeaderBytes);
    putFrameHeader(outbox.slab, at, piece.length, frameType.DATA, flags, streamId);
    outbox.append(piece);
  } else {
    const at = beginFrame(outbox, piece.length, frameType.DATA, flags, streamId);
    outbox.slab.set(piece, at);
  }
}

/** Up to here a copy costs less than one more piece to write. */
const copiedBytesMax = 4_096;

function writeUint32Frame(outbox: Outbox, type: number, streamId: number, value: number): void {
  const at = beginFrame(outbox, 4, type, 0, streamId);
  putUint32(outbox.slab, at, value);
}

/** Returns where the content goes. */
function beginFrame(outbox: Outbox, length: number, type: number, flags: number, streamId: number): number {
  const at = outbox.claim(frameHeaderBytes + length);
  putFrameHeader(outbox.slab, at, length, type, flags, streamId);
  return at + frameHeaderBytes;
}

/** For short pieces a loop costs less than a view. */
function copy(from: Uint8Array, start: number, end: number, to: Uint8Array, at: number): void {
  to.set(from.subarray(start, end), at);
}
