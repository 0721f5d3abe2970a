import { fromHuffman } from "./huffman.ts";

const staticEntries = 61;
const entryOverhead = 32;
const knownTextsMax = 1_000;

/** Reads header blocks of one connection for the one field that a service of one method has to know: `:path`. */
export class HeaderBlocks {
  /** Newest first. */
  readonly #table: { readonly name: string; readonly value: string; readonly size: number }[] = [];
  #size = 0;
  #sizeMax = 4096;
  /** Most texts come again and again. */
  readonly #known = new Map<string, string>();
  #bytes: Uint8Array = new Uint8Array();
  #at = 0;

  /** The path, undefined when there is none: trailers. Throws on what is no block. */
  pathOf(bytes: Uint8Array): string | undefined {
    this.#bytes = bytes;
    this.#at = 0;
    let path: string | undefined;
    while (this.#at < bytes.length) {
      const first = bytes[this.#at] ?? 0;
      if (first >= 0x80) {
        const index = this.#integer(7);
        if (index > staticEntries) path = this.#pathIn(index) ?? path;
      } else if (first >= 0x40) {
        const name = this.#name(6);
        const value = this.#text(true);
        if (name === ":path") path = value;
        this.#insert(name, value);
      } else if (first >= 0x20) {
        this.#sizeMax = this.#integer(5);
        this.#evict();
      } else {
        const name = this.#name(4);
        const value = this.#text(name === ":path");
        if (name === ":path") path = value;
      }
    }
    return path;
  }

  #pathIn(index: number): string | undefined {
    const entry = this.#table[index - staticEntries - 1];
    if (entry === undefined) throw new Error(`a header field names entry ${index}, which is not there`);
    return entry.name === ":path" ? entry.value : undefined;
  }

  /** Of the static table's names only their lengths matter, but for the path's. */
  #name(prefixBits: number): string {
    const index = this.#integer(prefixBits);
    if (index === 0) return this.#text(true);
    if (index > staticEntries) return this.#table[index - staticEntries - 1]?.name ?? "";
    return index === 4 || index === 5 ? ":path" : "-".repeat(staticNameLengths[index - 1] ?? 0);
  }

  #text(isWanted: boolean): string {
    const isHuffman = (this.#bytes[this.#at] ?? 0) >= 0x80;
    const length = this.#integer(7);
    const from = this.#at;
    this.#at += length;
    if (!isWanted) return "";
    const bytes = Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + from, length);
    if (!isHuffman) return bytes.toString("latin1");
    const key = bytes.toString("latin1");
    const known = this.#known.get(key) ?? fromHuffman(bytes);
    if (this.#known.size < knownTextsMax) this.#known.set(key, known);
    return known;
  }

  #integer(prefixBits: number): number {
    const most = (1 << prefixBits) - 1;
    let value = (this.#bytes[this.#at++] ?? 0) & most;
    if (value < most) return value;
    for (let shift = 0; ; shift += 7) {
      const byte = this.#bytes[this.#at++] ?? 0;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }

  #insert(name: string, value: string): void {
    const size = name.length + value.length + entryOverhead;
    this.#table.unshift({ name, value, size });
    this.#size += size;
    this.#evict();
  }

  #evict(): void {
    while (this.#size > this.#sizeMax) this.#size -= this.#table.pop()?.size ?? this.#size;
  }
}

/** Of the names in RFC 7541 appendix A, in its order. */
const staticNameLengths: readonly number[] = [
  10, 7, 7, 5, 5, 7, 7, 7, 7, 7, 7, 7, 7, 7, 14, 15, 15, 13, 6, 27, 3, 5, 13, 13, 19, 16, 16, 14, 16, 13, 12, 6, 4, 4,
  6, 7, 4, 4, 8, 17, 13, 8, 19, 13, 4, 8, 12, 18, 19, 5, 7, 7, 11, 6, 10, 25, 17, 10, 4, 3, 16,
];
