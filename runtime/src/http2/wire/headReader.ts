import { HpackDecoder } from "./hpackDecoder.ts";
import type { Decoded } from "./hpackDecoder.ts";

/** The blocks of a connection are few and the same, again and again. */
const rememberedMax = 4;
/** Longer ones are no client's daily bread, and would be kept for as long as the connection lasts. */
const rememberedBytesMax = 4 * 1024;

type Remembered<Head> = {
  readonly block: Uint8Array;
  readonly head: Head;
  /** It reads the table: it means the same as long as that is as it was then. */
  readonly tableVersion: number | undefined;
};

/**
 * Reads the blocks of one connection in their order, and remembers the last ones of those that leave the table as it is: the same bytes are the
 * same object then. Throws `Http2Error`.
 */
export class HeadReader<Head> {
  readonly #decoder: HpackDecoder;
  readonly #toHead: (decoded: Decoded) => Head;
  readonly #remembered: Remembered<Head>[] = [];
  #next = 0;

  /** `listBytesMax`: larger lists are only read over. */
  constructor(listBytesMax: number, toHead: (decoded: Decoded) => Head) {
    this.#decoder = new HpackDecoder(listBytesMax);
    this.#toHead = toHead;
  }

  /** The peer has taken note of how much it may index. */
  limitTable(bytesMax: number): void {
    this.#decoder.limitTable(bytesMax);
  }

  read(block: Uint8Array): Head {
    const before = this.#decoder.tableVersion;
    for (const { block: known, head, tableVersion } of this.#remembered) {
      if ((tableVersion === undefined || tableVersion === before) && sameBytes(known, block)) return head;
    }
    const head = this.#toHead(this.#decoder.decode(block));
    if (this.#decoder.tableVersion !== before || block.length > rememberedBytesMax) return head;
    const tableVersion = this.#decoder.wasStateless() ? undefined : before;
    this.#remembered[this.#next] = { block: new Uint8Array(block), head, tableVersion };
    this.#next = (this.#next + 1) % rememberedMax;
    return head;
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at += 1) if (a[at] !== b[at]) return false;
  return true;
}
