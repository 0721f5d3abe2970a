/** Characters by the length of their code, from RFC 7541 appendix B. Codes are handed out in this order, so the lengths say all; what is not printable ASCII is left out. */
const byLength: readonly (readonly [bits: number, characters: string])[] = [
  [5, "012aceiost"],
  [6, " %-./3456789=A_bdfghlmnpru"],
  [7, ":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz"],
  [8, "&*,;XZ"],
  [10, '!"()?'],
  [11, "'+|"],
  [12, "#>"],
  [13, "\0$@[]~"],
  [14, "^}"],
  [15, "<`{"],
];

const codes = new Map<number, string>();
let code = 0;
let width = 0;
for (const [bits, characters] of byLength) {
  code <<= bits - width;
  width = bits;
  for (const character of characters) codes.set(keyOf(bits, code++), character);
}

/** Decodes a text of a header field. Throws on what is not printable ASCII: gRPC sends nothing else. */
export function fromHuffman(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    for (let at = 7; at >= 0; at--) {
      value = (value << 1) | ((byte >> at) & 1);
      bits += 1;
      const found = codes.get(keyOf(bits, value));
      if (found !== undefined) {
        text += found;
        bits = value = 0;
      } else if (bits > 15) throw new Error("a header field that is not printable ASCII");
    }
  }
  return text;
}

function keyOf(bits: number, value: number): number {
  return bits * 65_536 + value;
}
