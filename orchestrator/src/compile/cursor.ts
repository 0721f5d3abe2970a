/** A point in a .proto text that moves forward. */
export interface Cursor {
  readonly text: string;
  at: number;
}

/** A string literal: the bytes it stands for, and where each begins in the text. */
export interface Literal {
  readonly bytes: number[];
  readonly offsets: number[];
}

const escapes: ReadonlyMap<string, number> = new Map([
  ["n", 10],
  ["t", 9],
  ["r", 13],
  ["a", 7],
  ["b", 8],
  ["f", 12],
  ["v", 11],
  ["\\", 92],
  ["'", 39],
  ['"', 34],
  ["?", 63],
]);

/** Moves over white space and comments. */
export function skipBlank(cursor: Cursor): void {
  const { text } = cursor;
  for (;;) {
    const next = text[cursor.at];
    if (next === undefined) return;
    if (next <= " ") cursor.at++;
    else if (next === "#" || text.startsWith("//", cursor.at)) cursor.at = endOf(text, "\n", cursor.at);
    else if (text.startsWith("/*", cursor.at)) cursor.at = endOf(text, "*/", cursor.at + 2);
    else return;
  }
}

/** The next character that is neither white space nor comment; undefined at the end. */
export function peek(cursor: Cursor): string | undefined {
  skipBlank(cursor);
  return cursor.text[cursor.at];
}

/** Moves over `expected` when it is next. */
export function take(cursor: Cursor, expected: string): boolean {
  if (peek(cursor) !== expected) return false;
  cursor.at++;
  return true;
}

/** The next word, number, string (its quotes only) or single character, and where it begins; undefined at the end. */
export function nextToken(cursor: Cursor): { readonly text: string; readonly start: number } | undefined {
  const first = peek(cursor);
  if (first === undefined) return undefined;
  const start = cursor.at;
  if (first === '"' || first === "'") {
    readPiece(cursor, { bytes: [], offsets: [] });
    return { text: first, start };
  }
  cursor.at++;
  if (isOfWord(first)) while (isOfWord(cursor.text[cursor.at])) cursor.at++;
  return { text: cursor.text.slice(start, cursor.at), start };
}

/** Reads adjacent string literals as the one string they are. */
export function readLiteral(cursor: Cursor): Literal {
  const literal: Literal = { bytes: [], offsets: [] };
  let end = cursor.at;
  for (let quote = peek(cursor); quote === '"' || quote === "'"; quote = peek(cursor)) {
    readPiece(cursor, literal);
    end = cursor.at;
  }
  cursor.at = end;
  literal.offsets.push(Math.max(0, end - 1));
  return literal;
}

/** Where UTF-16 unit `unit` of the literal's value begins in the text; its closing quote when it has fewer. */
export function offsetInText(literal: Literal, unit: number): number | undefined {
  let units = 0;
  for (const [index, byte] of literal.bytes.entries()) {
    if (byte >= 0x80 && byte < 0xc0) continue;
    if (units >= unit) return literal.offsets[index];
    units += byte >= 0xf0 ? 2 : 1;
    if (units > unit) return literal.offsets[index];
  }
  return literal.offsets.at(-1);
}

function readPiece(cursor: Cursor, literal: Literal): void {
  const { text } = cursor;
  const quote = text[cursor.at];
  cursor.at++;
  while (cursor.at < text.length && text[cursor.at] !== quote) {
    const start = cursor.at;
    if (text[start] === "\\") readEscape(cursor, literal);
    else {
      const point = text.codePointAt(start) ?? 0;
      cursor.at += point > 0xffff ? 2 : 1;
      addPoint(literal, point, start);
    }
  }
  cursor.at++;
}

function readEscape(cursor: Cursor, literal: Literal): void {
  const { text, at: start } = cursor;
  const rest = text.slice(start + 1, start + 10);
  const octal = /^[0-7]{1,3}/.exec(rest);
  const hex = /^[xX]([0-9a-fA-F]{1,2})/.exec(rest);
  const point = /^(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/.exec(rest);
  if (octal !== null) {
    cursor.at = start + 1 + octal[0].length;
    addByte(literal, Number.parseInt(octal[0], 8) & 0xff, start);
  } else if (hex !== null) {
    cursor.at = start + 1 + hex[0].length;
    addByte(literal, Number.parseInt(hex[1] ?? "", 16), start);
  } else if (point !== null) {
    cursor.at = start + 1 + point[0].length;
    addPoint(literal, Number.parseInt(point[1] ?? point[2] ?? "", 16), start);
  } else {
    cursor.at = start + 2;
    addByte(literal, escapes.get(rest[0] ?? "") ?? 63, start);
  }
}

function addPoint(literal: Literal, point: number, start: number): void {
  if (point < 0x80) addByte(literal, point, start);
  else {
    const bytes = new TextEncoder().encode(point <= 0x10ffff ? String.fromCodePoint(point) : "?");
    for (const byte of bytes) addByte(literal, byte, start);
  }
}

function addByte(literal: Literal, byte: number, start: number): void {
  literal.bytes.push(byte);
  literal.offsets.push(start);
}

function isOfWord(character: string | undefined): boolean {
  return character !== undefined && /[\w.]/.test(character);
}

function endOf(text: string, mark: string, from: number): number {
  const found = text.indexOf(mark, from);
  return found < 0 ? text.length : found + mark.length;
}
