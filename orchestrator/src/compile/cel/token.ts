import type { Issue } from "./issue.ts";
import { strangeCharacter, strangeNumber } from "./strange.ts";

/** A word of an expression; offsets count UTF-16 units, `end` is behind the last one. */
export interface Token {
  readonly kind: "identifier" | "quoted" | "number" | "text" | "symbol" | "end";
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const space = /(?:[ \t\r\n\f]+|\/\/[^\r\n]*)+/y;
const identifier = /[A-Za-z_][A-Za-z0-9_]*/y;
const quoted = /`[A-Za-z0-9_./ -]+`/y;
const numeral = /0x[0-9a-fA-F]+[uU]?|(?:(?:\d+\.\d+|\.\d+)(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\d+[uU]?)/y;
const symbol = /==|!=|<=|>=|&&|\|\||[-+*/%!<>=&|?:.,()[\]{}]/y;
const quote = /(?:[rR]|[bB][rR]?)?("""|'''|"|')/y;
const escape =
  /\\(?:[abfnrtv\\?"'`]|[xX][0-9a-fA-F]{2}|u(?![dD][89a-fA-F])[0-9a-fA-F]{4}|U(?:000(?!0[dD][89a-fA-F])[0-9a-fA-F]|0010)[0-9a-fA-F]{4}|[0-3][0-7]{2})/y;

/** Cuts an expression into its words, an "end" behind them; or says where it can't. */
export function tokenize(source: string): readonly Token[] | Issue {
  const tokens: Token[] = [];
  let at = 0;
  for (;;) {
    at = endOf(space, source, at) ?? at;
    if (at >= source.length) break;
    const next = nextToken(source, at, tokens.at(-1));
    if ("code" in next) return next;
    tokens.push(next);
    at = next.end;
  }
  tokens.push({ kind: "end", text: "", start: source.length, end: source.length });
  return tokens;
}

function nextToken(source: string, start: number, before: Token | undefined): Token | Issue {
  const opened = endOf(quote, source, start);
  if (opened !== undefined) return textToken(source, start, opened);
  const name = endOf(identifier, source, start);
  if (name !== undefined) return token("identifier", source, start, name);
  const field = endOf(quoted, source, start);
  if (field !== undefined) return token("quoted", source, start, field);
  const number = endOf(numeral, source, start);
  if (number !== undefined) return numberToken(source, start, number);
  const sign = endOf(symbol, source, start);
  if (sign !== undefined) return token("symbol", source, start, sign);
  const character = String.fromCodePoint(source.codePointAt(start) ?? 0);
  const { message, hint } = strangeCharacter(character, before?.text);
  return syntaxIssue(message, hint, start, character.length);
}

function numberToken(source: string, start: number, end: number): Token | Issue {
  const behind = endOf(identifier, source, end);
  const word = behind === undefined ? "" : source.slice(end, behind);
  if (behind === undefined || word === "in") return token("number", source, start, end);
  const text = source.slice(start, behind);
  return syntaxIssue(`'${text}' is no number`, strangeNumber(text), start, behind - start);
}

function textToken(source: string, start: number, opened: number): Token | Issue {
  const mark = /("""|'''|"|')$/.exec(source.slice(start, opened))?.[0] ?? '"';
  const raw = /^[bB]?[rR]/.test(source.slice(start, opened));
  for (let at = opened; at < source.length;) {
    if (source.startsWith(mark, at)) return token("text", source, start, at + mark.length);
    const character = source[at];
    if ((character === "\n" || character === "\r") && mark.length === 1)
      return unended(source, start, opened, mark, at);
    if (raw || character !== "\\") {
      at += 1;
      continue;
    }
    const behind = endOf(escape, source, at);
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
  return unended(source, start, opened, mark, undefined);
}

function unended(source: string, start: number, opened: number, mark: string, line: number | undefined): Issue {
  const goesOn = line !== undefined && source.includes(mark, line);
  const hint = goesOn
    ? `a text goes on in the next line between ${mark.repeat(3)} only; a line break is \\n`
    : `a ${mark} is missing`;
  return syntaxIssue("the text is not ended", hint, start, opened - start);
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

/** An issue of syntax at a word, or at some words in a row. */
export function issueAt(message: string, hint: string | undefined, from: Token, to = from): Issue {
  return syntaxIssue(message, hint, from.start, to.end - from.start);
}
