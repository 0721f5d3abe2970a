import { staticTable } from "./hpackTable.ts";
import type { Field } from "./hpackTable.ts";

/** Fields as a peer reads them whatever it has kept: nothing is added to its table. Names and values are Latin-1. */
export function encodeFields(fields: readonly Field[]): Uint8Array {
  const out: number[] = [];
  for (const [name, value] of fields) {
    const whole = staticTable.findIndex((entry) => entry[0] === name && entry[1] === value);
    if (whole >= 0) {
      out.push(0x80 | (whole + 1));
      continue;
    }
    out.push(...encodeName(name));
    pushInteger(out, 0, 7, value.length);
    for (let at = 0; at < value.length; at += 1) out.push(value.charCodeAt(at));
  }
  return Uint8Array.from(out);
}

/** How a field begins that is not to be indexed: up to its value. */
export function encodeName(name: string): Uint8Array {
  const out: number[] = [];
  const index = staticTable.findIndex((entry) => entry[0] === name);
  pushInteger(out, 0, 4, index + 1);
  if (index < 0) {
    pushInteger(out, 0, 7, name.length);
    for (let at = 0; at < name.length; at += 1) out.push(name.charCodeAt(at));
  }
  return Uint8Array.from(out);
}

/** Most that `putLength` writes. */
export const lengthBytesMax = 6;

/** Writes the length of a string that is not Huffman-coded; returns where the string begins. */
export function putLength(out: Uint8Array, at: number, length: number): number {
  if (length < 0x7f) {
    out[at] = length;
    return at + 1;
  }
  out[at] = 0x7f;
  let rest = length - 0x7f;
  let next = at + 1;
  for (; rest > 0x7f; rest >>>= 7) {
    out[next] = (rest & 0x7f) | 0x80;
    next += 1;
  }
  out[next] = rest;
  return next + 1;
}

/** Tells the peer that its table is to be emptied and stays so; stands at the beginning of a block. */
export const emptyTable = 0x20;

/** RFC 7541, section 5.1. */
function pushInteger(out: number[], pattern: number, prefixBits: number, value: number): void {
  const mask = (1 << prefixBits) - 1;
  if (value < mask) {
    out.push(pattern | value);
    return;
  }
  out.push(pattern | mask);
  let rest = value - mask;
  for (; rest > 0x7f; rest >>>= 7) out.push((rest & 0x7f) | 0x80);
  out.push(rest);
}
