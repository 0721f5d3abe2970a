import type { Issue } from "./issue.ts";

/** A word of an expression; offsets count UTF-16 units, `end` is behind the last one. */
export interface Token {
  readonly kind: "identifier" | "number" | "text" | "symbol" | "end";
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const space = /(?:[ \t\r\n\f]+|\/\/[^\n]*)+/y;
const identifier = /[A-Za-z_][A-Za-z0-9_]*/y;
const numeral = /0[xX][0-9a-fA-F]+[uU]?|(?:\d+\.\d+|\.\d+|\d+)(?:[eE][+-]?\d+)?[uU]?/y;
const symbol = /==|!=|<=|>=|&&|\|\||[-+*/%!<>=&|?:.,()[\]{}]/y;
const quote = /(?:[rR][bB]?|[bB][rR]?)?("""|'''|"|')/y;
const escape =
  /\\(?:[abfnrtv\\?"'`]|[xX][0-9a-fA-F]{2}|u(?![dD][89a-fA-F])[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2})/y;

/** Cuts an expression into its words, an "end" behind them; or says where it can't. */
export function tokenize(source: string): readonly Token[] | Issue {
  const tokens: Token[] = [];
  let at = 0;
  for (;;) {
    at = endOf(space, source, at) ?? at;
    if (at >= source.length) break;
    const next = nextToken(source, at);
    if ("code" in next) return next;
    tokens.push(next);
    at = next.end;
  }
  tokens.push({ kind: "end", text: "", start: source.length, end: source.length });
  return tokens;
}

function nextToken(source: string, start: number): Token | Issue {
  const opened = endOf(quote, source, start);
  if (opened !== undefined) return textToken(source, start, opened);
  const name = endOf(identifier, source, start);
  if (name !== undefined) return token("identifier", source, start, name);
  const number = endOf(numeral, source, start);
  if (number !== undefined) return numberToken(source, start, number);
  const sign = endOf(symbol, source, start);
  if (sign !== undefined) return token("symbol", source, start, sign);
  const character = String.fromCodePoint(source.codePointAt(start) ?? 0);
  return syntaxIssue(`'${character}' has no meaning here`, hintFor(character), start, character.length);
}

function numberToken(source: string, start: number, end: number): Token | Issue {
  const behind = endOf(identifier, source, end);
  if (behind === undefined) return token("number", source, start, end);
  return syntaxIssue(
    `'${source.slice(start, behind)}' is no number`,
    "a name can't begin with a digit",
    start,
    behind - start,
  );
}

function textToken(source: string, start: number, opened: number): Token | Issue {
  const mark = /("""|'''|"|')$/.exec(source.slice(start, opened))?.[0] ?? '"';
  const raw = /^[bB]?[rR]/.test(source.slice(start, opened));
  for (let at = opened; at < source.length;) {
    if (source.startsWith(mark, at)) return token("text", source, start, at + mark.length);
    const character = source[at];
    if (character === "\n" && mark.length === 1) break;
    if (character !== "\\") {
      at += 1;
      continue;
    }
    const behind = raw ? at + 1 : endOf(escape, source, at);
    if (behind === undefined) {
      return syntaxIssue(
        `'${source.slice(at, at + 2)}' is no escape`,
        "write \\\\ for a backslash, or put r before the text",
        at,
        2,
      );
    }
    at = behind;
  }
  return syntaxIssue("the text is not ended", `a ${mark} is missing`, start, opened - start);
}

function hintFor(character: string): string | undefined {
  switch (character) {
    case "`":
      return "quoted field names are not supported";
    case "“":
    case "”":
    case "‘":
    case "’":
      return "texts stand between \" or '";
    case "$":
    case "#":
    case "@":
      return "names are letters, digits and _";
    case ";":
      return "an expression has no statements";
    case "^":
    case "~":
      return "there are no bit operators";
    default:
      return undefined;
  }
}

function endOf(pattern: RegExp, source: string, at: number): number | undefined {
  pattern.lastIndex = at;
  return pattern.test(source) ? pattern.lastIndex : undefined;
}

function token(kind: Token["kind"], source: string, start: number, end: number): Token {
  return { kind, text: source.slice(start, end), start, end };
}

/** An issue of syntax. */
export function syntaxIssue(message: string, hint: string | undefined, offset: number, length: number): Issue {
  return { code: "CEL_SYNTAX", message, hint, offset, length: Math.max(1, length) };
}
