import { frameHeaderBytes, frameType, putFrameHeader, putUint32, uint31At } from "../wire/frame.ts";
import { encodeFields } from "../wire/hpackEncoder.ts";
import type { Field } from "../wire/hpackTable.ts";

/** A frame as it came from the client. */
export type CameFrame = {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly content: Buffer;
};

const pieceBytes = 16_000;

/** The bytes of a frame. */
export function frame(type: number, flags: number, streamId: number, content: Uint8Array = new Uint8Array()): Buffer {
  const bytes = Buffer.alloc(frameHeaderBytes + content.length);
  putFrameHeader(bytes, 0, content.length, type, flags, streamId);
  bytes.set(content, frameHeaderBytes);
  return bytes;
}

/** A SETTINGS frame. */
export function settings(...pairs: readonly (readonly [name: number, value: number])[]): Buffer {
  const content = Buffer.alloc(6 * pairs.length);
  pairs.forEach(([name, value], index) => {
    content.writeUInt16BE(name, 6 * index);
    content.writeUInt32BE(value, 6 * index + 2);
  });
  return frame(frameType.SETTINGS, 0, 0, content);
}

/** HEADERS in one frame. */
export function head(streamId: number, fields: readonly Field[], isEnd = false): Buffer {
  return frame(frameType.HEADERS, 4 | (isEnd ? 1 : 0), streamId, encodeFields(fields));
}

/** HEADERS and as many CONTINUATIONs as it takes. */
export function headInPieces(streamId: number, fields: readonly Field[]): Buffer {
  const block = encodeFields(fields);
  const pieces = Array.from({ length: Math.ceil(block.length / pieceBytes) }, (_, index) =>
    block.subarray(index * pieceBytes, (index + 1) * pieceBytes),
  );
  return Buffer.concat(
    pieces.map((piece, index) => {
      const type = index === 0 ? frameType.HEADERS : frameType.CONTINUATION;
      return frame(type, index === pieces.length - 1 ? 4 : 0, streamId, piece);
    }),
  );
}

/** Four bytes. */
export function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  putUint32(bytes, 0, value);
  return bytes;
}

/** The streams up to `lastId` are finished, others were not looked at. */
export function goAway(lastId: number, code = 0): Buffer {
  return frame(frameType.GOAWAY, 0, 0, Buffer.concat([number(lastId), number(code)]));
}

/** A whole answer of gRPC: headers, one message, trailers. */
export function answer(streamId: number, message: Uint8Array = Buffer.from("hi")): Buffer {
  return Buffer.concat([
    head(streamId, [[":status", "200"]]),
    frame(frameType.DATA, 0, streamId, Buffer.concat([Buffer.from([0]), number(message.length), message])),
    head(streamId, [["grpc-status", "0"]], true),
  ]);
}

/** The whole frames in some bytes. */
export function framesIn(bytes: Buffer): readonly CameFrame[] {
  const frames: CameFrame[] = [];
  let at = 0;
  for (;;) {
    const end = bytes.length - at < frameHeaderBytes ? Infinity : at + frameHeaderBytes + bytes.readUIntBE(at, 3);
    if (end > bytes.length) return frames;
    frames.push({
      type: bytes[at + 3] ?? 0,
      flags: bytes[at + 4] ?? 0,
      streamId: uint31At(bytes, at + 5),
      content: bytes.subarray(at + frameHeaderBytes, end),
    });
    at = end;
  }
}
