/** Types of frames (RFC 9113, section 6). */
export const frameType = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

/** Flags of frames; END_STREAM and ACK share a bit. */
export const frameFlag = { END_STREAM: 0x1, ACK: 0x1, END_HEADERS: 0x4, PADDED: 0x8, PRIORITY: 0x20 } as const;

/** Codes of RST_STREAM and GOAWAY (RFC 9113, section 7). */
export const errorCode = {
  NO_ERROR: 0,
  PROTOCOL_ERROR: 1,
  INTERNAL_ERROR: 2,
  FLOW_CONTROL_ERROR: 3,
  SETTINGS_TIMEOUT: 4,
  STREAM_CLOSED: 5,
  FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  COMPRESSION_ERROR: 9,
  CONNECT_ERROR: 10,
  ENHANCE_YOUR_CALM: 11,
  INADEQUATE_SECURITY: 12,
} as const;

export const frameHeaderBytes = 9;
/** Of a frame's content, unless the other side allows more. */
export const frameBytesDefault = 16_384;
/** Largest window, and largest number of a stream. */
export const uint31Max = 0x7fff_ffff;

/** The peer broke a rule that ends the connection; `code` is what it is told. */
export class Http2Error extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.name = "Http2Error";
    this.code = code;
  }
}

/** Writes the nine bytes before a frame's content. */
export function putFrameHeader(
  out: Uint8Array,
  at: number,
  length: number,
  type: number,
  flags: number,
  streamId: number,
): void {
  out[at] = length >>> 16;
  out[at + 1] = length >>> 8;
  out[at + 2] = length;
  out[at + 3] = type;
  out[at + 4] = flags;
  putUint32(out, at + 5, streamId);
}

/** Writes four bytes, the highest first. */
export function putUint32(out: Uint8Array, at: number, value: number): void {
  out[at] = value >>> 24;
  out[at + 1] = value >>> 16;
  out[at + 2] = value >>> 8;
  out[at + 3] = value;
}

/** Reads four bytes, the highest first. */
export function uint32At(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>> 0
  );
}

/** The same without the first bit, which is reserved. */
export function uint31At(bytes: Uint8Array, at: number): number {
  return uint32At(bytes, at) & uint31Max;
}

/** "REFUSED_STREAM" for 7; "code 99" for a number nobody knows. */
export function errorName(code: number): string {
  return names[code] ?? `code ${code}`;
}

const names: readonly string[] = Object.keys(errorCode);
