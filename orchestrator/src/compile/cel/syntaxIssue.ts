import type { Issue } from "./issue.ts";
import { syntaxIssue } from "./token.ts";
import type { Token } from "./token.ts";

/** A bracket that is open, or the whole expression. */
export interface Frame {
  readonly kind: "whole" | "group" | "list" | "map" | "call" | "index" | "message";
  readonly open: Token | undefined;
  /** The ? of a condition that waits for its colon. */
  condition: Token | undefined;
  /** Left of the colon of an entry. */
  atKey: boolean;
  /** Nothing stands between the bracket, or the last comma, and here. */
  fresh: boolean;
  entries: number;
}

/** What ends a frame. */
export const closing: Readonly<Record<Frame["kind"], string>> = {
  whole: "",
  group: ")",
  call: ")",
  list: "]",
  index: "]",
  map: "}",
  message: "}",
};

/** Why the entry that ends at `token` is none yet. */
export function finished(inside: Frame, token: Token): Issue | undefined {
  if (inside.condition !== undefined) {
    return syntaxIssue("the condition has no ':'", "a ? b : c", inside.condition.start, 1);
  }
  if (inside.atKey && inside.kind === "map" && !inside.fresh) {
    return syntaxIssue(
      `':' is expected, found ${describe(token)}`,
      "an entry is key: value",
      token.start,
      token.end - token.start,
    );
  }
  return undefined;
}

/** A value must stand here. */
export function missingOperand(before: Token | undefined, token: Token, inside: Frame): Issue {
  if (token.kind === "end" && inside.open !== undefined && inside.fresh) {
    return syntaxIssue(
      `'${inside.open.text}' is never closed`,
      `a '${closing[inside.kind]}' is missing`,
      inside.open.start,
      1,
    );
  }
  const behind = before === undefined ? "" : ` after '${before.text}'`;
  return syntaxIssue(
    `a value is expected${behind}, found ${describe(token)}`,
    operandHint(before, token),
    token.kind === "end" && before !== undefined ? before.start : token.start,
    token.kind === "end" && before !== undefined ? before.text.length : token.text.length,
  );
}

function operandHint(before: Token | undefined, token: Token): string | undefined {
  if (before?.text === "=" || token.text === "=") return "equal is ==";
  if (token.text === "&" || token.text === "|") return `the operator is ${token.text}${token.text}`;
  if (before?.text === "&&" && token.text === "&") return "the operator is &&";
  if (before?.text === "," && token.text === ")") return "a call ends without a comma";
  if (before?.text === "*" && token.text === "*") return "there is no power operator";
  if (before?.text === "+" && token.text === "+") return "there is no ++";
  return undefined;
}

/** An operator, a comma or a bracket must stand here. */
export function missingOperator(before: Token | undefined, token: Token, inside: Frame): Issue {
  const length = token.end - token.start;
  switch (token.text) {
    case "=":
      return syntaxIssue("'=' is no operator", "equal is ==", token.start, length);
    case "&":
    case "|":
      return syntaxIssue(
        `'${token.text}' is no operator`,
        `the operator is ${token.text}${token.text}`,
        token.start,
        length,
      );
    case "and":
      return syntaxIssue("'and' is no operator", "the operator is &&", token.start, length);
    case "or":
      return syntaxIssue("'or' is no operator", "the operator is ||", token.start, length);
    case "!":
      return syntaxIssue("'!' is not expected here", "unequal is !=, not in is !(a in b)", token.start, length);
  }
  if (before?.text === "not")
    return syntaxIssue("'not' is no operator", "the operator is !", before.start, before.text.length);
  if (inside.kind === "map" && inside.atKey) {
    return syntaxIssue(`':' is expected, found ${describe(token)}`, "an entry is key: value", token.start, length);
  }
  const list = inside.kind === "map" || inside.kind === "message" || inside.kind === "list" || inside.kind === "call";
  return syntaxIssue(
    `an operator is expected, found ${describe(token)}`,
    list ? `a ',' is missing before ${describe(token)}` : undefined,
    token.start,
    length,
  );
}

/** A part of the language that this version leaves out. */
export function optional(token: Token, what: string): Issue {
  return {
    code: "NOT_YET",
    message: `${what} is not yet supported`,
    hint: "a bare selection already copies presence; else test with has()",
    offset: token.start,
    length: 1,
  };
}

/** Nested too deep. */
export function tooDeep(depthMax: number, token: Token): Issue {
  return {
    code: "CEL_LIMIT",
    message: `the expression is nested more than ${depthMax} deep`,
    hint: undefined,
    offset: token.start,
    length: token.end - token.start,
  };
}

/** A word, for messages. */
export function describe(token: Token): string {
  return token.kind === "end" ? "the end" : `'${token.text}'`;
}
