import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { openCopies } from "./copies.ts";

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
  readonly #copy = openCopies();

  readonly toBytes = <T>(encoder: MessageEncoder<T>, message: T): Uint8Array => {
    const writer = this.#kept ?? new BinaryWriter();
    // Gone meanwhile: an encoder that throws leaves its half behind.
    this.#kept = undefined;
    encoder.encode(message, writer);
    const size = writer["pos"];
    if (size > keptBytesMax) return writer.finish();
    // What finish does, but in memory that is shared.
    const bytes = this.#copy(writer["buffer"].subarray(0, size));
    writer["pos"] = 0;
    this.#kept = writer;
    return bytes;
  };
}
