import { errorCode, Http2Error } from "./frame.ts";

/**
 * Lengths of the codes of all bytes (RFC 7541, appendix B). The code is canonical: codes of one length follow each other in the order of
 * their bytes, so the lengths say all. That of the end of a string, 30 ones, is left out: no string may hold it.
 */
const lengths =
  "13 23 28 28 28 28 28 28 28 24 30 28 28 30 28 28 28 28 28 28 28 28 30 28 28 28 28 28 28 28 28 28 " +
  "6 10 10 12 13 6 8 11 10 10 8 11 8 6 6 6 5 5 5 6 6 6 6 6 6 6 7 8 15 6 12 10 " +
  "13 6 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 8 7 8 13 19 13 14 6 " +
  "15 5 6 5 6 5 6 6 6 5 7 7 6 6 6 5 6 7 6 5 5 6 7 7 7 7 7 15 11 14 13 28 " +
  "20 22 20 20 22 22 22 23 22 23 23 23 23 23 24 23 24 24 22 23 24 23 23 23 23 21 22 23 22 23 23 24 " +
  "22 21 20 22 22 23 23 21 23 22 22 24 21 22 23 23 21 21 22 21 23 22 23 23 20 22 22 22 23 22 22 23 " +
  "26 26 20 19 22 23 22 25 26 26 26 27 27 26 24 25 19 21 26 27 27 26 27 24 21 21 26 26 28 27 27 27 " +
  "20 24 20 21 22 21 21 23 22 22 25 25 24 24 26 23 26 27 26 26 27 27 27 27 27 28 27 27 27 27 27 26";

const nibbles = 16;
const nibbleBits = 4;
/** In the table: the node after a nibble, the byte that ended within it, and whether there is one. */
const symbolShift = 16;
const hasSymbol = 1 << 24;
const failed = -1;

type Automaton = {
  /** By node and nibble. */
  readonly steps: Int32Array;
  /** Nodes at which a string may end: the root, and up to seven ones below it. */
  readonly isEnd: Uint8Array;
};

const automaton = makeAutomaton(lengths.split(" ").map(Number));

/** The text of a Huffman-coded string, bytes as Latin-1. Throws `Http2Error` for what is none. */
export function readHuffman(bytes: Uint8Array, start: number, end: number): string {
  const { steps, isEnd } = automaton;
  let text = "";
  let node = 0;
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at] ?? 0;
    for (let shift = nibbleBits; shift >= 0; shift -= nibbleBits) {
      const step = steps[node * nibbles + ((byte >>> shift) & 0xf)] ?? failed;
      if (step === failed)
        throw new Http2Error(errorCode.COMPRESSION_ERROR, "a Huffman code holds the end of a string");
      if ((step & hasSymbol) !== 0) text += String.fromCharCode((step >>> symbolShift) & 0xff);
      node = step & 0xffff;
    }
  }
  if (isEnd[node] !== 1) throw new Http2Error(errorCode.COMPRESSION_ERROR, "a Huffman code is padded wrongly");
  return text;
}

function makeAutomaton(codeLengths: readonly number[]): Automaton {
  const { children, symbols } = makeTree(codeLengths);
  const count = children.length / 2;
  const steps = new Int32Array(count * nibbles).fill(failed);
  for (let node = 0; node < count; node += 1) {
    for (let nibble = 0; nibble < nibbles; nibble += 1)
      steps[node * nibbles + nibble] = walk(children, symbols, node, nibble);
  }
  const isEnd = new Uint8Array(count);
  let node: number | undefined = 0;
  for (let ones = 0; ones < 8 && node !== undefined; ones += 1) {
    isEnd[node] = 1;
    node = children[node * 2 + 1];
  }
  return { steps, isEnd };
}

/** Four bits down from a node: no code is shorter than five, so at most one ends. */
function walk(children: readonly number[], symbols: ReadonlyMap<number, number>, from: number, nibble: number): number {
  let node = from;
  let ended = 0;
  for (let bit = nibbleBits - 1; bit >= 0; bit -= 1) {
    const side = node * 2 + ((nibble >>> bit) & 1);
    const symbol = symbols.get(side);
    if (symbol !== undefined) {
      ended = hasSymbol | (symbol << symbolShift);
      node = 0;
    } else {
      node = children[side] ?? failed;
      if (node <= 0) return failed;
    }
  }
  return ended | node;
}

/** By node and bit: the node below, or in `symbols` the byte whose code ends there. */
function makeTree(codeLengths: readonly number[]) {
  const children: number[] = [0, 0];
  const symbols = new Map<number, number>();
  let code = 0;
  let before = 0;
  const order = codeLengths.map((length, symbol) => ({ length, symbol }));
  for (const { length, symbol } of order.toSorted((a, b) => a.length - b.length || a.symbol - b.symbol)) {
    code <<= length - before;
    before = length;
    let node = 0;
    for (let bit = length - 1; bit > 0; bit -= 1) {
      const side = node * 2 + ((code >>> bit) & 1);
      if (children[side] === 0) {
        children[side] = children.length / 2;
        children.push(0, 0);
      }
      node = children[side] ?? 0;
    }
    symbols.set(node * 2 + (code & 1), symbol);
    code += 1;
  }
  return { children, symbols };
}
