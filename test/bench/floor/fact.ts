/** What the floor writes: a kind, a run, a step and the payload, with no encoding worth the name. */
export interface Fact {
  readonly kind: "started" | "outcome" | "ended";
  readonly run: number;
  readonly step: number;
  readonly payload: Uint8Array;
}

const kinds = ["started", "outcome", "ended"] as const;
const headerBytes = 16;

/** One message may hold several. */
export function encodeFacts(facts: readonly Fact[]): Buffer {
  const bytes = Buffer.allocUnsafe(facts.reduce((sum, { payload }) => sum + headerBytes + payload.length, 0));
  let at = 0;
  for (const { kind, run, step, payload } of facts) {
    bytes.writeUInt32BE(kinds.indexOf(kind), at);
    bytes.writeUInt32BE(run, at + 4);
    bytes.writeUInt32BE(step, at + 8);
    bytes.writeUInt32BE(payload.length, at + 12);
    bytes.set(payload, at + headerBytes);
    at += headerBytes + payload.length;
  }
  return bytes;
}

export function decodeFacts(bytes: Uint8Array): readonly Fact[] {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const facts: Fact[] = [];
  for (let at = 0; at < view.length;) {
    const end = at + headerBytes + view.readUInt32BE(at + 12);
    facts.push({
      kind: kinds[view.readUInt32BE(at)] ?? "ended",
      run: view.readUInt32BE(at + 4),
      step: view.readUInt32BE(at + 8),
      payload: view.subarray(at + headerBytes, end),
    });
    at = end;
  }
  return facts;
}
