import type { Duplex } from "node:stream";

/** Writes pieces with one call of the system where it can; true when all of it has gone there. */
export function writePieces(socket: Duplex, pieces: readonly Uint8Array[]): boolean {
  if (socket.destroyed || socket.writableEnded) return true;
  const [first] = pieces;
  if (pieces.length === 1 && first !== undefined) socket.write(first);
  else {
    socket.cork();
    for (const piece of pieces) socket.write(piece);
    socket.uncork();
  }
  return socket.writableLength === 0;
}
