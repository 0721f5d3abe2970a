import { errorCode, Http2Error } from "./frame.ts";
import { DynamicTable, fieldBytes, staticTable } from "./hpackTable.ts";
import type { Field } from "./hpackTable.ts";
import { readHuffman } from "./huffman.ts";
import { settingsDefault } from "./settings.ts";

/** A block of headers, decompressed; of a list that is too large there are no fields. */
export type Decoded = { readonly fields: readonly Field[]; readonly isTooLarge: boolean };

const integerBytesMax = 5;
const charactersAtOnce = 4_096;
const nothing = new Uint8Array();

/** Reads blocks of headers (RFC 7541), one after the other: each can change the table for the next. Throws `Http2Error`. */
export class HpackDecoder {
  readonly #table = new DynamicTable(settingsDefault.headerTableBytes);
  readonly #listBytesMax: number;
  /** The most that the peer may make of its table. */
  #tableBytesMax = settingsDefault.headerTableBytes;
  #bytes: Uint8Array = nothing;
  #at = 0;
  #hasUsedTable = false;
  #tableVersion = 0;

  /** `listBytesMax`: the size of a list, as SETTINGS_MAX_HEADER_LIST_SIZE counts it, beyond which it is only read over. */
  constructor(listBytesMax: number) {
    this.#listBytesMax = listBytesMax;
  }

  /** The peer has taken note of this bound. */
  limitTable(bytesMax: number): void {
    this.#tableBytesMax = bytesMax;
  }

  /** Another one after each change of the table: until then the same block is the same list, unless it changes the table itself. */
  get tableVersion(): number {
    return this.#tableVersion;
  }

  /** The last block did not read the table: whenever it comes again, it is the same list. */
  wasStateless(): boolean {
    return !this.#hasUsedTable;
  }

  decode(block: Uint8Array): Decoded {
    this.#bytes = block;
    this.#at = 0;
    this.#hasUsedTable = false;
    const fields: Field[] = [];
    let listBytes = 0;
    let mayResize = true;
    while (this.#at < block.length) {
      const first = block[this.#at] ?? 0;
      if ((first & 0xe0) === 0x20) {
        if (!mayResize) throw broken("a table's new size stands within a block");
        this.#resize();
        continue;
      }
      mayResize = false;
      const field = this.#field(first);
      listBytes += fieldBytes(field);
      if (listBytes <= this.#listBytesMax) fields.push(field);
    }
    this.#bytes = nothing;
    return listBytes > this.#listBytesMax ? { fields: [], isTooLarge: true } : { fields, isTooLarge: false };
  }

  #resize(): void {
    const bytes = this.#integer(5);
    if (bytes > this.#tableBytesMax)
      throw broken(`a table of ${bytes} bytes, at most ${this.#tableBytesMax} are allowed`);
    this.#hasUsedTable = true;
    this.#tableVersion += 1;
    this.#table.resize(bytes);
  }

  #field(first: number): Field {
    if ((first & 0x80) !== 0) return this.#indexed(this.#integer(7));
    const isAdded = (first & 0x40) !== 0;
    const index = this.#integer(isAdded ? 6 : 4);
    const name = index === 0 ? this.#text() : this.#indexed(index)[0];
    const field: Field = [name, this.#text()];
    if (isAdded) {
      this.#hasUsedTable = true;
      this.#tableVersion += 1;
      this.#table.add(field);
    }
    return field;
  }

  #indexed(index: number): Field {
    if (index > staticTable.length) this.#hasUsedTable = true;
    const field = index === 0 ? undefined : this.#table.at(index);
    if (field === undefined) throw broken(`no header has the index ${index}`);
    return field;
  }

  #text(): string {
    const isHuffman = ((this.#bytes[this.#at] ?? 0) & 0x80) !== 0;
    const length = this.#integer(7);
    const start = this.#at;
    const end = start + length;
    if (end > this.#bytes.length) throw broken("a string goes on beyond its block");
    this.#at = end;
    return isHuffman ? readHuffman(this.#bytes, start, end) : latin1(this.#bytes, start, end);
  }

  /** RFC 7541, section 5.1. */
  #integer(prefixBits: number): number {
    const mask = (1 << prefixBits) - 1;
    let value = this.#byte() & mask;
    if (value < mask) return value;
    for (let index = 0; index < integerBytesMax; index += 1) {
      const byte = this.#byte();
      value += (byte & 0x7f) * 2 ** (7 * index);
      if ((byte & 0x80) === 0) return value;
    }
    throw broken("a number has too many bytes");
  }

  #byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw broken("a block ends within a header");
    this.#at += 1;
    return byte;
  }
}

function broken(message: string): Http2Error {
  return new Http2Error(errorCode.COMPRESSION_ERROR, message);
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let at = start; at < end; at += charactersAtOnce)
    text += String.fromCharCode(...bytes.subarray(at, Math.min(at + charactersAtOnce, end)));
  return text;
}
