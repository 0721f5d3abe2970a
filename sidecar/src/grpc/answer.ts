import { code } from "../../../proto/wire/status.ts";
import { messageBytesMax } from "./channel.ts";

/** Why an answer can't be taken. */
export type Unfit = { readonly code: number; readonly message: string };

/** What comes in answer to a call, piece by piece. */
export interface Answer {
  /** Takes the next piece; says why nothing more is wanted. */
  take(chunk: Buffer): Unfit | undefined;
  /** What has come in all, once the service has said OK. */
  finish(): Uint8Array | Unfit;
}

/** How much of a stream is collected. */
export type StreamCaps = { readonly messagesMax: number; readonly bytesMax: number };

/** Compressed or not, then the length. */
const prefixBytes = 5;
const nothing = Buffer.alloc(0);

/** The one message of a unary rpc. */
export function openMessage(): Answer {
  const chunks: Buffer[] = [];
  let received = 0;
  return {
    take: (chunk) => {
      chunks.push(chunk);
      received += chunk.length;
      if (received < prefixBytes) return undefined;
      const size = lengthIn(chunks);
      if (size > messageBytesMax) return tooLarge(`the answer has ${size} bytes, at most ${messageBytesMax} are taken`);
      return received > size + prefixBytes ? broken("more than one message came in answer") : undefined;
    },
    finish: () => {
      const answer = chunks.length === 1 ? (chunks[0] ?? nothing) : Buffer.concat(chunks);
      if (answer.length < prefixBytes || answer.length - prefixBytes !== answer.readUInt32BE(1))
        return broken("the service said OK without one whole message");
      return answer[0] === 0 ? answer.subarray(prefixBytes) : compressed;
    },
  };
}

/**
 * All messages of a server-streaming rpc, in the form in which a list of messages is kept: each as field 1 of one message. None of them is
 * decoded.
 */
export function openStream({ messagesMax, bytesMax }: StreamCaps): Answer {
  const parts: Uint8Array[] = [];
  let pending: Buffer = nothing;
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  let wantedBytes = prefixBytes;
  let messages = 0;
  let bytes = 0;
  const takeWhole = (): Unfit | undefined => {
    while (pending.length >= prefixBytes) {
      const size = pending.readUInt32BE(1);
      if (pending[0] !== 0) return compressed;
      if (messages + 1 > messagesMax) return tooLarge(`more than ${messagesMax} messages came in answer`);
      if (bytes + size > bytesMax) return tooLarge(`the messages in answer have more than ${bytesMax} bytes`);
      if (pending.length < prefixBytes + size) {
        wantedBytes = prefixBytes + size;
        return undefined;
      }
      messages += 1;
      bytes += size;
      parts.push(tagAndLength(size), pending.subarray(prefixBytes, prefixBytes + size));
      pending = pending.subarray(prefixBytes + size);
      wantedBytes = prefixBytes;
    }
    return undefined;
  };
  return {
    take: (chunk) => {
      waiting.push(chunk);
      waitingBytes += chunk.length;
      // A long message is put together once, not at each piece of it.
      if (pending.length + waitingBytes < wantedBytes) return undefined;
      pending = Buffer.concat([pending, ...waiting]);
      waiting = [];
      waitingBytes = 0;
      return takeWhole();
    },
    finish: () =>
      pending.length + waitingBytes > 0 ? broken("the stream ended within a message") : Buffer.concat(parts),
  };
}

const compressed = broken("the answer is compressed although nobody asked for that");

function broken(message: string): Unfit {
  return { code: code.INTERNAL, message };
}

function tooLarge(message: string): Unfit {
  return { code: code.RESOURCE_EXHAUSTED, message };
}

/** Field 1, length-delimited. */
function tagAndLength(size: number): Uint8Array {
  const head = [0x0a];
  let rest = size;
  for (; rest > 0x7f; rest >>>= 7) head.push((rest & 0x7f) | 0x80);
  head.push(rest);
  return Uint8Array.from(head);
}

/** The length that the first five bytes announce. */
function lengthIn(chunks: readonly Buffer[]): number {
  const [first = nothing] = chunks;
  return (first.length >= prefixBytes ? first : Buffer.concat(chunks)).readUInt32BE(1);
}
