import { code } from "../../../proto/wire/status.ts";
import { uint32At } from "../http2/wire/frame.ts";
import { messageBytesMax } from "./channel.ts";

/** Why an answer can't be taken. */
export type Unfit = { readonly code: number; readonly message: string };

/** What comes in answer to a call, piece by piece. */
export interface Answer {
  /** Takes the next piece; says why nothing more is wanted. */
  take(chunk: Uint8Array): Unfit | undefined;
  /** What has come in all, once the service has said OK. */
  finish(): Uint8Array | Unfit;
}

/** How much of a stream is collected. */
export type StreamCaps = { readonly messagesMax: number; readonly bytesMax: number };

/** Compressed or not, then the length. */
const prefixBytes = 5;
const nothing = new Uint8Array();

/** The one message of a unary rpc. */
export function openMessage(): Answer {
  return new MessageAnswer();
}

class MessageAnswer implements Answer {
  /** Mostly all of it. */
  #first: Uint8Array = nothing;
  #more: Uint8Array[] | undefined;
  #received = 0;

  take(chunk: Uint8Array): Unfit | undefined {
    if (this.#received === 0) this.#first = chunk;
    // So that the length always lies in the first one.
    else if (this.#first.length < prefixBytes) this.#first = Buffer.concat([this.#first, chunk]);
    else (this.#more ??= []).push(chunk);
    this.#received += chunk.length;
    if (this.#received < prefixBytes) return undefined;
    const size = uint32At(this.#first, 1);
    if (size > messageBytesMax) return tooLarge(`the answer has ${size} bytes, at most ${messageBytesMax} are taken`);
    return this.#received > size + prefixBytes ? broken("more than one message came in answer") : undefined;
  }

  finish(): Uint8Array | Unfit {
    const answer = this.#more === undefined ? this.#first : Buffer.concat([this.#first, ...this.#more], this.#received);
    if (answer.length < prefixBytes || answer.length - prefixBytes !== uint32At(answer, 1))
      return broken("the service said OK without one whole message");
    return answer[0] === 0 ? answer.subarray(prefixBytes) : compressed;
  }
}

/**
 * All messages of a server-streaming rpc, in the form in which a list of messages is kept: each as field 1 of one message. None of them is
 * decoded.
 */
export function openStream({ messagesMax, bytesMax }: StreamCaps): Answer {
  const parts: Uint8Array[] = [];
  let pending: Uint8Array = nothing;
  let waiting: Uint8Array[] = [];
  let waitingBytes = 0;
  let wantedBytes = prefixBytes;
  let messages = 0;
  let bytes = 0;
  const takeWhole = (): Unfit | undefined => {
    while (pending.length >= prefixBytes) {
      const size = uint32At(pending, 1);
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
