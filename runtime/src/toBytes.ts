import { BinaryWriter } from "@bufbuild/protobuf/wire";

/** What ts-proto makes for each message. */
export interface Encoder<T> {
  encode(message: T, writer: BinaryWriter): BinaryWriter;
}

/** The writer of a larger message is not kept. */
const keptBytesMax = 1 << 20;
let kept: BinaryWriter | undefined;

/**
 * The bytes of a message, for what is encoded thousands of times a second: the writer is kept, with the buffer that it has grown to. A new one
 * grows by doubling, five times for a task, which costs more than to encode it.
 */
export function toBytes<T>(encoder: Encoder<T>, message: T): Uint8Array {
  const writer = kept ?? new BinaryWriter();
  // Gone meanwhile: an encoder that throws leaves its half behind.
  kept = undefined;
  const bytes = encoder.encode(message, writer).finish();
  if (bytes.length <= keptBytesMax) kept = writer;
  return bytes;
}
