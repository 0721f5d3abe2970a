import { code } from "../../../proto/wire/status.ts";
import { uint32At } from "../../../runtime/src/http2/wire/frame.ts";
import { messageBytesMax } from "./callClient.ts";

/** Why an answer can't be taken. */
export type Unfit = { readonly code: number; readonly message: string };

/** What comes in answer to a call, piece by piece. */
export interface Answer {
  /** Takes a copy of the next piece; says why nothing more is wanted. */
  take(piece: Uint8Array): Unfit | undefined;
  /** What has come in all, once the service has said OK. */
  finish(): Uint8Array | Unfit;
}

/** How much of a stream is collected. */
export type StreamCaps = { readonly messagesMax: number; readonly bytesMax: number };

const roomBytesMin = 64 * 1024;
const roomGrowth = 8;
/** Compressed or not, then the length. */
const prefixBytes = 5;
const nothing = new Uint8Array();

/** The one message of a unary rpc. */
export function openMessage(): Answer {
  return new MessageAnswer();
}

class MessageAnswer implements Answer {
  /** The first bytes, while not even the length is there. */
  #begun: Uint8Array = nothing;
  #size = -1;
  #isCompressed = false;
  #bytes: Uint8Array = nothing;
  #received = 0;

  take(piece: Uint8Array): Unfit | undefined {
    if (this.#size >= 0) return this.#add(piece);
    const begun = this.#begun.length === 0 ? piece : Buffer.concat([this.#begun, piece]);
    if (begun.length < prefixBytes) {
      this.#begun = new Uint8Array(begun);
      return undefined;
    }
    this.#isCompressed = begun[0] !== 0;
    this.#size = uint32At(begun, 1);
    if (this.#size <= messageBytesMax) return this.#add(begun.subarray(prefixBytes));
    return tooLarge(`the answer has ${this.#size} bytes, at most ${messageBytesMax} are taken`);
  }

  finish(): Uint8Array | Unfit {
    if (this.#received !== this.#size) return broken("the service said OK without one whole message");
    return this.#isCompressed ? compressed : this.#bytes;
  }

  #add(piece: Uint8Array): Unfit | undefined {
    const bytes = this.#received + piece.length;
    if (bytes > this.#size) return broken("more than one message came in answer");
    if (bytes > this.#bytes.length) {
      // In few large steps, since each is one more copy; yet what is announced and does not come costs little.
      const room = Buffer.allocUnsafe(Math.min(this.#size, Math.max(roomGrowth * bytes, roomBytesMin)));
      room.set(this.#bytes.subarray(0, this.#received), 0);
      this.#bytes = room;
    }
    this.#bytes.set(piece, this.#received);
    this.#received = bytes;
    return undefined;
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
    take: (piece) => {
      waiting.push(new Uint8Array(piece));
      waitingBytes += piece.length;
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
