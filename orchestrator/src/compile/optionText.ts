import { nextToken, peek, readLiteral, take } from "./cursor.ts";
import type { Cursor, Literal } from "./cursor.ts";

/** A value of an option as it stands in the text. */
export interface TextNode {
  /** Where to point: at the field's name for a message, at the value for anything else. */
  readonly start: number;
  readonly literal: Literal | undefined;
  /** Fields of a message in the order of the text, by name; undefined for other values. */
  readonly fields: Map<string, TextNode[]> | undefined;
}

const depthMax = 100;

/**
 * Finds an option of a service, or of an rpc of it, in the text of a .proto that compiles: all its statements as one message. Without
 * option, or when it isn't found: the service's or rpc's name. Undefined: there is no such service or rpc.
 */
export function findOption(
  text: string,
  service: string,
  method: string | undefined,
  option: string | undefined,
): TextNode | undefined {
  const cursor: Cursor = { text, at: 0 };
  const inService = enterBlock(cursor, "service", service);
  if (inService === undefined) return undefined;
  if (method === undefined) return readOptions(cursor, option, inService);
  const inMethod = enterBlock(cursor, "rpc", method);
  return inMethod === undefined ? undefined : readOptions(cursor, option, inMethod);
}

/** Moves to the inside of `word name … { `; where the name stands. Stays inside the block it began in. */
function enterBlock(cursor: Cursor, word: string, name: string): number | undefined {
  for (let token = nextToken(cursor); token !== undefined && token.text !== "}"; token = nextToken(cursor)) {
    if (token.text === "{") {
      skipBlock(cursor);
    } else if (token.text === word) {
      const found = nextToken(cursor);
      if (found?.text !== name) continue;
      for (let next = nextToken(cursor); next !== undefined; next = nextToken(cursor)) {
        if (next.text === "{" || next.text === ";") return found.start;
      }
    }
  }
  return undefined;
}

function skipBlock(cursor: Cursor): void {
  let depth = 1;
  for (let token = nextToken(cursor); token !== undefined; token = nextToken(cursor)) {
    if (token.text === "{") depth++;
    if (token.text === "}") depth--;
    if (depth === 0) return;
  }
}

/** Reads the `option` statements of the block that the cursor is in, merged into one message. */
function readOptions(cursor: Cursor, option: string | undefined, nameStart: number): TextNode {
  let start: number | undefined;
  const fields = new Map<string, TextNode[]>();
  if (option !== undefined) {
    for (let token = nextToken(cursor); token !== undefined && token.text !== "}"; token = nextToken(cursor)) {
      if (token.text === "{") skipBlock(cursor);
      else if (token.text === "option" && peek(cursor) === "(") {
        const statement = readStatement(cursor, option, fields);
        start ??= statement;
      }
    }
  }
  return { start: start ?? nameStart, literal: undefined, fields };
}

/** Reads `(name).path = value` after the word `option`; where it begins, if it is the option wanted. */
function readStatement(cursor: Cursor, option: string, fields: Map<string, TextNode[]>): number | undefined {
  const start = cursor.at;
  take(cursor, "(");
  const name = nextToken(cursor)?.text ?? "";
  take(cursor, ")");
  const path = peek(cursor) === "=" ? [] : (nextToken(cursor)?.text ?? "").split(".").filter((part) => part !== "");
  if (!take(cursor, "=")) return undefined;
  const value = readValue(cursor, start, 0);
  if (!isName(name, option)) return undefined;
  if (path.length === 0) {
    for (const [field, nodes] of value.fields ?? []) append(fields, field, nodes);
  } else {
    let inside = fields;
    for (const part of path.slice(0, -1)) inside = insideOf(inside, part, start);
    append(inside, path.at(-1) ?? "", [value]);
  }
  return start;
}

/** "sidestep.v1.workflow" may be written "workflow" or "v1.workflow" where the scope allows, and with a leading dot. */
function isName(written: string, full: string): boolean {
  const bare = written.replace(/^\./, "");
  return bare === full || (bare !== "" && full.endsWith(`.${bare}`));
}

function insideOf(fields: Map<string, TextNode[]>, name: string, start: number): Map<string, TextNode[]> {
  const existing = fields.get(name)?.[0]?.fields;
  if (existing !== undefined) return existing;
  const made = new Map<string, TextNode[]>();
  fields.set(name, [{ start, literal: undefined, fields: made }]);
  return made;
}

function append(fields: Map<string, TextNode[]>, name: string, nodes: readonly TextNode[]): void {
  const before = fields.get(name);
  if (before === undefined) fields.set(name, [...nodes]);
  else before.push(...nodes);
}

function readValue(cursor: Cursor, nameStart: number, depth: number): TextNode {
  const next = peek(cursor);
  if ((next === "{" || next === "<") && depth < depthMax) return readMessage(cursor, nameStart, depth);
  const start = cursor.at;
  if (next === '"' || next === "'") return { start, literal: readLiteral(cursor), fields: undefined };
  take(cursor, "-");
  nextToken(cursor);
  return { start, literal: undefined, fields: undefined };
}

function readMessage(cursor: Cursor, start: number, depth: number): TextNode {
  const close = cursor.text[cursor.at] === "{" ? "}" : ">";
  cursor.at++;
  const fields = new Map<string, TextNode[]>();
  for (let next = peek(cursor); next !== undefined && next !== close; next = peek(cursor)) {
    if (next === "," || next === ";") cursor.at++;
    else readField(cursor, fields, depth);
  }
  take(cursor, close);
  return { start, literal: undefined, fields };
}

function readField(cursor: Cursor, fields: Map<string, TextNode[]>, depth: number): void {
  const name = nextToken(cursor);
  if (name === undefined) return;
  if (name.text === "[") {
    while (peek(cursor) !== undefined && !take(cursor, "]")) nextToken(cursor);
  }
  take(cursor, ":");
  if (!take(cursor, "[")) {
    append(fields, name.text, [readValue(cursor, name.start, depth + 1)]);
    return;
  }
  for (let next = peek(cursor); next !== undefined && next !== "]"; next = peek(cursor)) {
    if (next === ",") cursor.at++;
    else append(fields, name.text, [readValue(cursor, cursor.at, depth + 1)]);
  }
  take(cursor, "]");
}
