/** A name and a value. */
export type Field = readonly [name: string, value: string];

/** What an entry costs beyond its text (RFC 7541, section 4.1); lists of headers are measured so too. */
export const fieldOverhead = 32;

/** Size of a field as tables and lists count it. */
export function fieldBytes([name, value]: Field): number {
  return name.length + value.length + fieldOverhead;
}

/** RFC 7541, appendix A; the first index is 1. */
export const staticTable: readonly Field[] = [
  [":authority", ""],
  [":method", "GET"],
  [":method", "POST"],
  [":path", "/"],
  [":path", "/index.html"],
  [":scheme", "http"],
  [":scheme", "https"],
  ...[200, 204, 206, 304, 400, 404, 500].map((status): Field => [":status", String(status)]),
  ["accept-charset", ""],
  ["accept-encoding", "gzip, deflate"],
  ...(
    "accept-language accept-ranges accept access-control-allow-origin age allow authorization cache-control content-disposition " +
    "content-encoding content-language content-length content-location content-range content-type cookie date etag expect expires " +
    "from host if-match if-modified-since if-none-match if-range if-unmodified-since last-modified link location max-forwards " +
    "proxy-authenticate proxy-authorization range referer refresh retry-after server set-cookie strict-transport-security " +
    "transfer-encoding user-agent vary via www-authenticate"
  )
    .split(" ")
    .map((name): Field => [name, ""]),
];

/** The entries that a peer adds as it goes, newest first; the oldest leave when it is full (RFC 7541, section 2.3.2). */
export class DynamicTable {
  readonly #entries: Field[] = [];
  #bytes = 0;
  #bytesMax: number;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytesMax(): number {
    return this.#bytesMax;
  }

  resize(bytesMax: number): void {
    this.#bytesMax = bytesMax;
    this.#evict(bytesMax);
  }

  add(field: Field): void {
    const bytes = fieldBytes(field);
    this.#evict(this.#bytesMax - bytes);
    // One that is larger than the table empties it, and that is all.
    if (bytes > this.#bytesMax) return;
    this.#entries.push(field);
    this.#bytes += bytes;
  }

  /** By index over both tables, from 1. */
  at(index: number): Field | undefined {
    return index <= staticTable.length
      ? staticTable[index - 1]
      : this.#entries[this.#entries.length - (index - staticTable.length)];
  }

  #evict(bytesMax: number): void {
    let gone = 0;
    for (const entry of this.#entries) {
      if (this.#bytes <= bytesMax) break;
      this.#bytes -= fieldBytes(entry);
      gone += 1;
    }
    if (gone > 0) this.#entries.splice(0, gone);
  }
}
