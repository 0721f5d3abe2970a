import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { offsetInText, readLiteral } from "./cursor.ts";

/** A code point in one of the ways that a .proto may spell it. */
function spell(character: string, way: number): string {
  const point = character.codePointAt(0) ?? 0;
  const bytes = [...new TextEncoder().encode(character)];
  const mustEscape = character === '"' || character === "\\" || character === "\n";
  switch (way) {
    case 0:
      return mustEscape ? `\\${character === "\n" ? "n" : character}` : character;
    case 1:
      return bytes.map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
    case 2:
      return bytes.map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
    default:
      return point > 0xffff ? `\\U${point.toString(16).padStart(8, "0")}` : `\\u${point.toString(16).padStart(4, "0")}`;
  }
}

const between = fc.constantFrom("", '" "', '"\n  "', '" /* " */ "', '" // "\n"');
const character = fc.oneof(
  fc.constantFrom("a", '"', "\\", "\n", "é", "😀", "'"),
  fc
    .string({ unit: "grapheme", minLength: 1, maxLength: 1 })
    .map((text) => String.fromCodePoint(text.codePointAt(0) ?? 97)),
);
const spelled = fc.array(fc.tuple(character, fc.nat(3), between), { maxLength: 30 });

describe("a string literal of a .proto", () => {
  it("maps each UTF-16 unit of its value to where it stands in the text", () => {
    const run = fc.check(
      fc.property(spelled, (characters) => {
        let text = '  "';
        const offsets: number[] = [];
        for (const [one, way, gap] of characters) {
          for (let unit = 0; unit < one.length; unit++) offsets.push(text.length);
          text += spell(one, way) + gap;
        }
        offsets.push(text.length);
        text += '"';
        const literal = readLiteral({ text, at: 2 });
        const value = new TextDecoder().decode(Uint8Array.from(literal.bytes));
        const found = offsets.map((_, unit) => offsetInText(literal, unit));
        return value === characters.map(([one]) => one).join("") && String(found) === String(offsets);
      }),
    );
    expect(run).toMatchObject({ failed: false });
  });

  it("ends where its last piece ends", () => {
    const cursor = { text: `"a" 'b'  // c\n  ;`, at: 0 };
    expect(readLiteral(cursor).bytes).toEqual([97, 98]);
    expect(cursor.at).toBe(7);
  });
});
