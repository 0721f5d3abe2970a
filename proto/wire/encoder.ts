import { BinaryWriter } from "@bufbuild/protobuf/wire";

/** What ts-proto makes for each message. */
export interface MessageEncoder<T> {
  encode(message: T, writer: BinaryWriter): BinaryWriter;
}

/** The writer of a larger message is not kept. */
const keptBytesMax = 1 << 20;

/**
 * Makes bytes of messages, for what is encoded thousands of times a second: the writer is kept, with the buffer that it has grown to. A new one grows
 * by doubling, five times for a task, which costs more than to encode it.
 */
export class Encoder {
  #kept: BinaryWriter | undefined;

  readonly toBytes = <T>(encoder: MessageEncoder<T>, message: T): Uint8Array => {
    const writer = this.#kept ?? new BinaryWriter();
    // Gone meanwhile: an encoder that throws leaves its half behind.
    this.#kept = undefined;
    const bytes = encoder.encode(message, writer).finish();
    if (bytes.length <= keptBytesMax) this.#kept = writer;
    return bytes;
  };
}
