/** The messages of a gRPC request, put together from what arrives. */
export interface CallFrames {
  /** Takes a piece; true once more has come than there may be. */
  add(piece: Uint8Array): boolean;
  /** All of them, when nothing more comes; undefined: the last one is not whole. */
  messages(): readonly CallFrame[] | undefined;
}

/** A message, as it came. */
export interface CallFrame {
  readonly isCompressed: boolean;
  readonly bytes: Uint8Array;
}

const prefixBytes = 5;

/** Of at most so many bytes in all, their prefixes included. */
export function openCallFrames(bytesMax: number): CallFrames {
  const pieces: Uint8Array[] = [];
  let length = 0;
  return {
    add: (piece) => {
      length += piece.length;
      if (length <= bytesMax) pieces.push(piece);
      return length > bytesMax;
    },
    messages: () => {
      const all = joined(pieces, length);
      const view = new DataView(all.buffer, all.byteOffset, all.byteLength);
      const messages: CallFrame[] = [];
      let at = 0;
      while (at + prefixBytes <= all.length) {
        const end = at + prefixBytes + view.getUint32(at + 1);
        if (end > all.length) return undefined;
        messages.push({ isCompressed: all[at] !== 0, bytes: all.subarray(at + prefixBytes, end) });
        at = end;
      }
      return at === all.length ? messages : undefined;
    },
  };
}

/** A message as it is sent: not compressed. */
export function callFrame(bytes: Uint8Array): Uint8Array {
  const frame = new Uint8Array(prefixBytes + bytes.length);
  new DataView(frame.buffer).setUint32(1, bytes.length);
  frame.set(bytes, prefixBytes);
  return frame;
}

function joined(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const [first] = pieces;
  if (first !== undefined && pieces.length === 1) return first;
  const all = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
