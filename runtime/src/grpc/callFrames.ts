/** The messages of a gRPC request, put together from what arrives. */
export interface CallFrames {
  /** Takes a copy of a piece; true once more has come than there may be. */
  add(piece: Uint8Array): boolean;
  /** What has come, when nothing more does; undefined: the last message is not whole. */
  messages(): CallMessages | undefined;
}

/** How many there are, and the first of them: to make something of each would take long where a million are empty. */
export interface CallMessages {
  readonly count: number;
  readonly first: CallFrame | undefined;
}

/** A message, as it came. */
export interface CallFrame {
  readonly isCompressed: boolean;
  readonly bytes: Uint8Array;
}

const prefixBytes = 5;
const nothing = new Uint8Array();

/** Of at most so many bytes in all, their prefixes included. */
export function openCallFrames(bytesMax: number): CallFrames {
  // One piece of memory, however small the pieces are in which it comes.
  let room: Uint8Array = nothing;
  let length = 0;
  return {
    add: (piece) => {
      const before = length;
      length += piece.length;
      if (length > bytesMax) return true;
      if (length > room.length) {
        const larger = new Uint8Array(before === 0 ? length : Math.min(bytesMax, 2 * length));
        larger.set(room.subarray(0, before));
        room = larger;
      }
      room.set(piece, before);
      return false;
    },
    messages: () => {
      const all = room.subarray(0, length);
      const view = new DataView(all.buffer, all.byteOffset, all.byteLength);
      let count = 0;
      let at = 0;
      let firstEnd = 0;
      while (at + prefixBytes <= all.length) {
        const end = at + prefixBytes + view.getUint32(at + 1);
        if (end > all.length) return undefined;
        if (count === 0) firstEnd = end;
        count += 1;
        at = end;
      }
      if (at !== all.length) return undefined;
      const first = { isCompressed: all[0] !== 0, bytes: all.subarray(prefixBytes, firstEnd) };
      return { count, first: count === 0 ? undefined : first };
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
