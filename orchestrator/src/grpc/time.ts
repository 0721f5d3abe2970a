/** Milliseconds as google.protobuf.Duration. */
export function toDuration(ms: number): { readonly seconds: bigint; readonly nanos: number } {
  const seconds = Math.floor(ms / 1000);
  return { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1000) * 1e6) };
}

/** Whole milliseconds since 1970 as google.protobuf.Timestamp. */
export const toTimestamp = toDuration;
