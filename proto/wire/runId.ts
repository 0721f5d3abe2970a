/**
 * A run id: 16 bytes, printed as 32 hex digits, ordered by time.
 *
 *     6 bytes   milliseconds since 1970
 *     4 bits    generation of the layout that maps buckets to partitions
 *     12 bits   bucket: hash of the key, else random
 *     8 bytes   random
 *
 * It is the trace id of the run unless the caller's sampled trace is joined.
 */
export type RunId = string & { readonly brand: "RunId" };

export const buckets = 4096;

/** Makes a run id; `random` has 8 bytes. */
export function toRunId(timeMs: number, layout: number, bucket: number, random: Uint8Array): RunId {
  const time = Math.floor(timeMs).toString(16).padStart(12, "0");
  const place = ((layout << 12) | bucket).toString(16).padStart(4, "0");
  let tail = "";
  for (const byte of random.subarray(0, 8)) tail += byte.toString(16).padStart(2, "0");
  return (time + place + tail) as RunId;
}

/** The run id a string or 16 bytes spell, or undefined. */
export function parseRunId(text: string | Uint8Array): RunId | undefined {
  if (typeof text !== "string") return text.length === 16 ? (toHex(text) as RunId) : undefined;
  return /^[0-9a-f]{32}$/.test(text) ? (text as RunId) : undefined;
}

/** Generation of the layout, 0 to 15. */
export function layoutOf(runId: RunId): number {
  return Number.parseInt(runId.slice(12, 13), 16);
}

/** 0 to 4095. */
export function bucketOf(runId: RunId): number {
  return Number.parseInt(runId.slice(13, 16), 16);
}

/** When the id was made, in milliseconds since 1970. */
export function timeOf(runId: RunId): number {
  return Number.parseInt(runId.slice(0, 12), 16);
}

const pairs = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
/** Character codes of the digits, the first and the second of each byte. */
const highs = Uint8Array.from(pairs, (pair) => pair.charCodeAt(0));
const lows = Uint8Array.from(pairs, (pair) => pair.charCodeAt(1));

/** Bytes as hex digits, lower case. */
export function toHex(bytes: Uint8Array): string {
  let text = "";
  let at = 0;
  // Four bytes at a time: each piece of a text that grows is an object of its own.
  for (; at + 4 <= bytes.length; at += 4) {
    const a = bytes[at] ?? 0;
    const b = bytes[at + 1] ?? 0;
    const c = bytes[at + 2] ?? 0;
    const d = bytes[at + 3] ?? 0;
    text += String.fromCharCode(
      highs[a] ?? 0,
      lows[a] ?? 0,
      highs[b] ?? 0,
      lows[b] ?? 0,
      highs[c] ?? 0,
      lows[c] ?? 0,
      highs[d] ?? 0,
      lows[d] ?? 0,
    );
  }
  for (; at < bytes.length; at += 1) text += pairs[bytes[at] ?? 0] ?? "";
  return text;
}

/** Values of the hex digits by their character codes. */
const values = new Uint8Array(128);
for (let value = 0; value < 16; value++) {
  values[value.toString(16).charCodeAt(0)] = value;
  values[value.toString(16).toUpperCase().charCodeAt(0)] = value;
}

/** Bytes of a string of hex digits; the caller knows that it is one. */
export function fromHex(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) {
    const high = values[text.charCodeAt(2 * i)] ?? 0;
    bytes[i] = (high << 4) | (values[text.charCodeAt(2 * i + 1)] ?? 0);
  }
  return bytes;
}
