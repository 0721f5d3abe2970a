import type { Issue } from "./issue.ts";
import { reservedWords } from "./reserved.ts";
import { closing, describe, finished, missingOperand, missingOperator, optional, tooDeep } from "./syntaxIssue.ts";
import type { Frame } from "./syntaxIssue.ts";
import { syntaxIssue } from "./token.ts";
import type { Token } from "./token.ts";

const infix: ReadonlySet<string> = new Set(["+", "-", "*", "/", "%", "<", ">", "<=", ">=", "==", "!=", "&&", "||"]);

/**
 * Finds the first place where the words of an expression can't go on, and says why. What passes is grammatical but for corners that the
 * parser itself tells (the library's own messages name neither the place nor the cause).
 */
export function findSyntaxIssue(tokens: readonly Token[], depthMax: number): Issue | undefined {
  const walk: Walk = {
    tokens,
    at: 0,
    frames: [frame("whole", undefined)],
    depthMax,
    qualified: false,
    callable: false,
    prefixes: 0,
  };
  let expecting: Expecting = "operand";
  while (expecting !== "end") {
    const next: Expecting | Issue = expecting === "operand" ? operand(walk) : operator(walk);
    if (typeof next !== "string") return next;
    expecting = next;
  }
  return undefined;
}

type Expecting = "operand" | "operator" | "end";

interface Walk {
  readonly tokens: readonly Token[];
  at: number;
  readonly frames: Frame[];
  readonly depthMax: number;
  /** What stands left of here is a name, or names with dots: a message may follow. */
  qualified: boolean;
  /** What stands left of here is a name or a selection: a call may follow. */
  callable: boolean;
  prefixes: number;
}

function frame(kind: Frame["kind"], open: Token | undefined): Frame {
  return { kind, open, condition: undefined, atKey: kind === "map" || kind === "message", fresh: true, entries: 0 };
}

const endToken: Token = { kind: "end", text: "", start: 0, end: 0 };

function peek(walk: Walk, ahead = 0): Token {
  return walk.tokens[walk.at + ahead] ?? walk.tokens.at(-1) ?? endToken;
}

/** The word before the one at hand. */
function behind(walk: Walk): Token | undefined {
  return walk.at === 0 ? undefined : walk.tokens[walk.at - 1];
}

function top(walk: Walk): Frame {
  return walk.frames.at(-1) ?? frame("whole", undefined);
}

function operand(walk: Walk): Expecting | Issue {
  const token = peek(walk);
  const inside = top(walk);
  if (inside.kind === "message" && inside.atKey && token.text !== "}" && token.text !== "?")
    return fieldKey(walk, token);
  if (token.kind === "number" || token.kind === "text") return took(walk, false, false);
  if (token.kind === "identifier") return name(walk, token);
  switch (token.text) {
    case "!":
    case "-":
      walk.prefixes += 1;
      walk.at += 1;
      return walk.prefixes > walk.depthMax ? tooDeep(walk.depthMax, token) : "operand";
    case ".":
      walk.at += 1;
      return peek(walk).kind === "identifier"
        ? name(walk, peek(walk))
        : missingOperand(behind(walk), peek(walk), top(walk));
    case "(":
      return descend(walk, "group", token);
    case "[":
      return descend(walk, "list", token);
    case "{":
      return descend(walk, "map", token);
    case "?":
      if (inside.fresh && (inside.kind === "map" || inside.kind === "message" || inside.kind === "list"))
        return optional(token, "a field set only when its value is present ('?name: value')");
      return missingOperand(behind(walk), token, top(walk));
    case ")":
    case "]":
    case "}":
      if (inside.fresh && mayBeEmpty(inside) && token.text === closing[inside.kind]) return close(walk);
      return missingOperand(behind(walk), token, top(walk));
    default:
      return missingOperand(behind(walk), token, top(walk));
  }
}

function mayBeEmpty(inside: Frame): boolean {
  if (inside.kind === "call") return inside.entries === 0;
  return inside.kind === "list" || inside.kind === "map" || inside.kind === "message";
}

function name(walk: Walk, token: Token): Expecting | Issue {
  const literal = token.text === "true" || token.text === "false" || token.text === "null";
  if (!literal && reservedWords.has(token.text)) {
    const hint =
      top(walk).kind === "map" && top(walk).atKey
        ? `as a field's name it needs quotes: "${token.text}"`
        : "name it otherwise";
    return syntaxIssue(`'${token.text}' is a reserved word`, hint, token.start, token.text.length);
  }
  return took(walk, !literal, !literal);
}

function took(walk: Walk, qualified: boolean, callable: boolean): Expecting {
  walk.at += 1;
  walk.qualified = qualified;
  walk.callable = callable;
  walk.prefixes = 0;
  top(walk).fresh = false;
  return "operator";
}

function fieldKey(walk: Walk, token: Token): Expecting | Issue {
  const next = peek(walk, 1);
  const inside = top(walk);
  if (token.kind === "text")
    return syntaxIssue(
      "a field name is expected",
      "without quotes: Message{field: value}",
      token.start,
      token.end - token.start,
    );
  if (token.kind !== "identifier") return missingOperand(behind(walk), token, top(walk));
  if (unselectable.has(token.text)) return unreadable(token);
  if (next.text !== ":")
    return syntaxIssue(
      `':' is expected after '${token.text}', found ${describe(next)}`,
      undefined,
      next.start,
      next.end - next.start,
    );
  walk.at += 2;
  inside.atKey = false;
  inside.fresh = false;
  return "operand";
}

function descend(walk: Walk, kind: Frame["kind"], token: Token): Expecting | Issue {
  top(walk).fresh = false;
  walk.frames.push(frame(kind, token));
  walk.prefixes = 0;
  walk.at += 1;
  return walk.frames.length > walk.depthMax ? tooDeep(walk.depthMax, token) : "operand";
}

function close(walk: Walk): Expecting {
  walk.frames.pop();
  return took(walk, false, false);
}

function operator(walk: Walk): Expecting | Issue {
  const token = peek(walk);
  const inside = top(walk);
  if (token.kind === "end") return end(token, inside);
  if (infix.has(token.text) || token.text === "in") {
    walk.at += 1;
    return "operand";
  }
  switch (token.text) {
    case ".":
      return select(walk);
    case "(":
      return walk.callable ? descend(walk, "call", token) : missingOperator(behind(walk), token, inside);
    case "[":
      if (peek(walk, 1).text === "?") return optional(peek(walk, 1), "an index that may be missing ('[?i]')");
      return descend(walk, "index", token);
    case "{":
      return walk.qualified ? descend(walk, "message", token) : missingOperator(behind(walk), token, inside);
    case "?":
      return condition(walk, token, inside);
    case ":":
      return colon(walk, token, inside);
    case ",":
      return comma(walk, token, inside);
    case ")":
    case "]":
    case "}":
      return closeWith(walk, token, inside);
    default:
      return missingOperator(behind(walk), token, inside);
  }
}

function select(walk: Walk): Expecting | Issue {
  const field = peek(walk, 1);
  if (field.text === "?") return optional(field, "a field that may be missing ('a.?b')");
  if (field.kind !== "identifier") {
    return syntaxIssue(
      `a field name is expected after '.', found ${describe(field)}`,
      undefined,
      field.start,
      field.end - field.start,
    );
  }
  if (unselectable.has(field.text)) return unreadable(field);
  walk.at += 1;
  return took(walk, walk.qualified, true);
}

/** Words that the grammar wants for itself even behind a dot. */
const unselectable: ReadonlySet<string> = new Set(["in", "true", "false", "null"]);

function unreadable(field: Token): Issue {
  const message = `a field named '${field.text}' can't be named like this`;
  return syntaxIssue(message, `in a map literal it can be set: {"${field.text}": …}`, field.start, field.text.length);
}

function condition(walk: Walk, token: Token, inside: Frame): Expecting | Issue {
  if (inside.condition !== undefined) {
    return syntaxIssue(
      "a condition stands inside a condition",
      "put the inner one in parentheses: a ? (b ? c : d) : e",
      token.start,
      1,
    );
  }
  inside.condition = token;
  walk.at += 1;
  return "operand";
}

function colon(walk: Walk, token: Token, inside: Frame): Expecting | Issue {
  if (inside.condition !== undefined) {
    inside.condition = undefined;
    walk.at += 1;
    return "operand";
  }
  if (inside.kind === "map" && inside.atKey) {
    inside.atKey = false;
    walk.at += 1;
    return "operand";
  }
  const hint =
    inside.kind === "map" || inside.kind === "message"
      ? "a ',' is missing before this entry"
      : "a condition is a ? b : c";
  return syntaxIssue("':' is not expected here", hint, token.start, 1);
}

function comma(walk: Walk, token: Token, inside: Frame): Expecting | Issue {
  const unfinished = finished(inside, token);
  if (unfinished !== undefined) return unfinished;
  if (inside.kind === "whole" || inside.kind === "group" || inside.kind === "index") {
    return syntaxIssue(
      "',' is not expected here",
      inside.kind === "whole" ? "an expression is one value" : `is a '${closing[inside.kind]}' missing before it?`,
      token.start,
      1,
    );
  }
  inside.entries += 1;
  inside.fresh = true;
  inside.atKey = inside.kind === "map" || inside.kind === "message";
  walk.at += 1;
  return "operand";
}

function closeWith(walk: Walk, token: Token, inside: Frame): Expecting | Issue {
  if (token.text !== closing[inside.kind]) {
    if (inside.open === undefined)
      return syntaxIssue(`'${token.text}' closes nothing`, "its opening bracket is missing", token.start, 1);
    return syntaxIssue(
      `'${token.text}' is found, but '${inside.open.text}' is open`,
      `a '${closing[inside.kind]}' is missing before it`,
      token.start,
      1,
    );
  }
  return finished(inside, token) ?? close(walk);
}

function end(token: Token, inside: Frame): Expecting | Issue {
  const unfinished = finished(inside, token);
  if (unfinished !== undefined) return unfinished;
  if (inside.open === undefined) return "end";
  return syntaxIssue(
    `'${inside.open.text}' is never closed`,
    `a '${closing[inside.kind]}' is missing`,
    inside.open.start,
    1,
  );
}
