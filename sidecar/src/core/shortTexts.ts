const slots = 256;
const bytesMax = 64;

const decoder = new TextDecoder();

/** Short texts that come again and again, found by their bytes: names of methods and headers, which would be made anew of each message. Bounded. */
export class ShortTexts {
  readonly #known: ({ readonly bytes: Uint8Array; readonly text: string } | undefined)[] = Array.from(
    { length: slots },
    () => undefined,
  );

  /** The UTF-8 text from `start` to `end`. */
  read(bytes: Uint8Array, start: number, end: number): string {
    if (end - start > bytesMax) return decoder.decode(bytes.subarray(start, end));
    let hash = end - start;
    for (let at = start; at < end; at += 1) hash = (hash * 31 + (bytes[at] ?? 0)) | 0;
    const slot = (hash ^ (hash >>> 8)) & (slots - 1);
    const known = this.#known[slot];
    if (known !== undefined && isSame(known.bytes, bytes, start, end)) return known.text;
    const own = bytes.slice(start, end);
    const text = decoder.decode(own);
    this.#known[slot] = { bytes: own, text };
    return text;
  }
}

function isSame(known: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (known.length !== end - start) return false;
  for (let at = 0; at < known.length; at += 1) if (known[at] !== bytes[start + at]) return false;
  return true;
}
