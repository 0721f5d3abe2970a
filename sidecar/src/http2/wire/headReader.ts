import { HpackDecoder } from "./hpackDecoder.ts";
import type { Decoded } from "./hpackDecoder.ts";
import type { Field } from "./hpackTable.ts";

/** What a block of headers of a server says. */
export type Head =
  | {
      readonly kind: "head";
      /** 200, 404, 100 …; undefined in trailers. */
      readonly status: number | undefined;
      /** Without `:status`; of several values of a name the first. */
      readonly fields: ReadonlyMap<string, string>;
    }
  | { readonly kind: "malformed"; readonly message: string }
  | { readonly kind: "tooLarge" };

/** A server's blocks are few and the same: headers, and trailers that say OK. */
const rememberedMax = 4;

/** Reads the blocks of one connection in their order, and remembers the last ones of those that hang on no other. Throws `Http2Error`. */
export class HeadReader {
  readonly #decoder: HpackDecoder;
  readonly #remembered: { readonly block: Uint8Array; readonly head: Head }[] = [];
  #next = 0;

  /** `listBytesMax`: larger lists are `tooLarge`. */
  constructor(listBytesMax: number) {
    this.#decoder = new HpackDecoder(listBytesMax);
  }

  /** The peer has taken note of how much it may index. */
  limitTable(bytesMax: number): void {
    this.#decoder.limitTable(bytesMax);
  }

  read(block: Uint8Array): Head {
    for (const known of this.#remembered) if (sameBytes(known.block, block)) return known.head;
    const head = toHead(this.#decoder.decode(block));
    if (!this.#decoder.wasStateless()) return head;
    this.#remembered[this.#next] = { block: new Uint8Array(block), head };
    this.#next = (this.#next + 1) % rememberedMax;
    return head;
  }
}

/** RFC 9113, sections 8.2 and 8.3. */
function toHead({ fields, isTooLarge }: Decoded): Head {
  if (isTooLarge) return { kind: "tooLarge" };
  let status: number | undefined;
  const rest = new Map<string, string>();
  for (const field of fields) {
    const [name, value] = field;
    if (name.startsWith(":")) {
      if (name !== ":status" || status !== undefined || rest.size > 0 || !/^[1-5]\d\d$/.test(value))
        return malformed(field);
      status = Number(value);
    } else {
      if (!nameForm.test(name) || !valueForm.test(value) || ofConnection.has(name)) return malformed(field);
      if (!rest.has(name)) rest.set(name, value);
    }
  }
  return { kind: "head", status, fields: rest };
}

/** No capital letters, no controls, no spaces, no colon within. */
const nameForm = /^[!-9;-@[-~]+$/;
/** No NUL, CR or LF. Blanks around are against the RFC, but servers send messages of errors that end with one. */
const valueForm = /^[^\0\r\n]*$/;
const ofConnection: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

function malformed([name, value]: Field): Head {
  return { kind: "malformed", message: `the header ${JSON.stringify(`${name}: ${value}`.slice(0, 100))} can't be` };
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at += 1) if (a[at] !== b[at]) return false;
  return true;
}
