import { preface } from "./frameWriter.ts";
import { errorCode, Http2Error } from "./wire/frame.ts";

/** Reads over the bytes that a client begins with, however they come in pieces. */
export class PrefaceReader {
  #at = 0;

  /** What of a chunk comes behind them. Throws `Http2Error` when others come. */
  take(chunk: Uint8Array): Uint8Array {
    const bytes = Math.min(chunk.length, preface.length - this.#at);
    if (bytes === 0) return chunk;
    for (let at = 0; at < bytes; at += 1)
      if (chunk[at] !== preface[this.#at + at])
        throw new Http2Error(errorCode.PROTOCOL_ERROR, "it does not begin as HTTP/2 does");
    this.#at += bytes;
    return chunk.subarray(bytes);
  }
}
