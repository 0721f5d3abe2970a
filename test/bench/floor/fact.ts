/** What the floor writes: a kind, a run, a step and the payload, with no encoding worth the name. */
export interface Fact {
  readonly kind: "started" | "outcome" | "ended";
  readonly run: number;
  readonly step: number;
  readonly payload: Uint8Array;
}

const kinds = ["started", "outcome", "ended"] as const;
const headerBytes = 12;

export function encodeFact(fact: Fact): Buffer {
  const bytes = Buffer.allocUnsafe(headerBytes + fact.payload.length);
  bytes.writeUInt32BE(kinds.indexOf(fact.kind), 0);
  bytes.writeUInt32BE(fact.run, 4);
  bytes.writeUInt32BE(fact.step, 8);
  bytes.set(fact.payload, headerBytes);
  return bytes;
}

export function decodeFact(bytes: Uint8Array): Fact {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return {
    kind: kinds[view.readUInt32BE(0)] ?? "ended",
    run: view.readUInt32BE(4),
    step: view.readUInt32BE(8),
    payload: view.subarray(headerBytes),
  };
}
