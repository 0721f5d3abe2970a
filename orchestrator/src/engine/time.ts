/** A google.protobuf.Timestamp, as generated code spells it. */
export interface Timestamp {
  readonly seconds: bigint;
  readonly nanos: number;
}

/** Milliseconds since 1970, whole or not, as a timestamp. */
export function toTimestamp(ms: number): Timestamp {
  const seconds = Math.floor(ms / 1000);
  const nanos = Math.round((ms - seconds * 1000) * 1_000_000);
  return nanos === 1_000_000_000 ? { seconds: BigInt(seconds + 1), nanos: 0 } : { seconds: BigInt(seconds), nanos };
}

/** A point in time as milliseconds since 1970, rounded up: a timer is never early. */
export function toMs({ seconds, nanos }: Timestamp): number {
  return Number(seconds) * 1000 + Math.ceil(nanos / 1_000_000);
}
