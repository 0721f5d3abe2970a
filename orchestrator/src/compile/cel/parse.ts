import { parse } from "@bufbuild/cel";
import type { Expr } from "@bufbuild/cel-spec/cel/expr/syntax_pb.js";
import type { Issue } from "./issue.ts";
import type { ExpressionLimits } from "./limits.ts";
import { findSyntaxIssue } from "./syntax.ts";
import { syntaxIssue, tokenize } from "./token.ts";
import type { Token } from "./token.ts";

/** A piece of the source. */
export interface Span {
  readonly offset: number;
  readonly length: number;
}

/** A parsed expression that knows where each part of it stands. */
export interface Parsed {
  readonly kind: "parsed";
  readonly syntax: Expr;
  /** The word a node stands at: its name, its operator, the bracket of a literal; of a selection the field's name. */
  readonly spanOf: (node: Expr) => Span;
  /** The word at an offset the parser gave. */
  readonly spanAt: (id: bigint) => Span;
  /** The identifier was written with a dot before it: it names something absolutely. */
  readonly isAbsolute: (node: Expr) => boolean;
}

/** Parses an expression within the limits, or says what is wrong with it. */
export function parseExpression(
  source: string,
  limits: ExpressionLimits,
): Parsed | { readonly kind: "wrong"; readonly issue: Issue } {
  const issue = findIssue(source, limits);
  if (issue !== undefined) return { kind: "wrong", issue };
  const tokens = tokenize(source);
  try {
    const { expr, sourceInfo } = parse(source);
    if (expr === undefined || !Array.isArray(tokens))
      return { kind: "wrong", issue: syntaxIssue("the expression is empty", undefined, 0, 1) };
    const depth = depthIssue(expr, limits);
    if (depth !== undefined) return { kind: "wrong", issue: depth };
    return toParsed(expr, sourceInfo?.positions ?? {}, tokens);
  } catch (error) {
    return { kind: "wrong", issue: toIssue(source, error) };
  }
}

function findIssue(source: string, limits: ExpressionLimits): Issue | undefined {
  const size = new TextEncoder().encode(source).length;
  if (size > limits.sourceBytesMax) {
    return {
      code: "CEL_LIMIT",
      message: `the expression has ${size} bytes, ${limits.sourceBytesMax} are allowed`,
      hint: "split it with let steps",
      offset: 0,
      length: 1,
    };
  }
  if (source.trim() === "") return syntaxIssue("the expression is empty", undefined, 0, 1);
  const tokens = tokenize(source);
  return "code" in tokens ? tokens : findSyntaxIssue(tokens, limits.depthMax);
}

function toIssue(source: string, error: unknown): Issue {
  const location = error instanceof Error && "location" in error ? error.location : undefined;
  const offset = offsetIn(location);
  return syntaxIssue("the expression can't be parsed from here on", undefined, Math.min(offset, source.length - 1), 1);
}

function offsetIn(location: unknown): number {
  const start = typeof location === "object" && location !== null && "start" in location ? location.start : undefined;
  const offset = typeof start === "object" && start !== null && "offset" in start ? start.offset : undefined;
  return typeof offset === "number" ? offset : 0;
}

function toParsed(syntax: Expr, positions: Readonly<Record<string, number>>, tokens: readonly Token[]): Parsed {
  const indexAt = new Map(tokens.map((token, index) => [token.start, index]));
  const offsetOf = (id: bigint): number => {
    const offset = positions[String(id)] ?? 0;
    // Behind a literal the parser takes the space for the operator.
    return indexAt.has(offset) ? offset : (tokens.find((token) => token.start >= offset)?.start ?? offset);
  };
  const spanOfIndex = (index: number | undefined, offset: number): Span => {
    const dotted = index !== undefined && tokens[index]?.text === "." && tokens[index + 1]?.kind === "identifier";
    const token = index === undefined ? undefined : tokens[dotted ? index + 1 : index];
    return token === undefined
      ? { offset, length: 1 }
      : { offset: token.start, length: Math.max(1, token.end - token.start) };
  };
  const spanAt = (id: bigint): Span => spanOfIndex(indexAt.get(offsetOf(id)), offsetOf(id));
  const spanOf = (node: Expr): Span => {
    const offset = offsetOf(node.id);
    const index = indexAt.get(offset);
    const named = memberName(node);
    if (named === undefined || index === undefined) return spanOfIndex(index, offset);
    for (let at = index; at < tokens.length; at++) {
      if (tokens[at]?.kind === "identifier" && tokens[at]?.text === named && tokens[at - 1]?.text === ".")
        return spanOfIndex(at, offset);
    }
    return spanOfIndex(index, offset);
  };
  const isAbsolute = (node: Expr): boolean => beginsWithDot(tokens, indexAt.get(offsetOf(node.id)));
  return { kind: "parsed", syntax, spanOf, spanAt, isAbsolute };
}

/** Is this word a dot with nothing on its left to select from? */
function beginsWithDot(tokens: readonly Token[], index: number | undefined): boolean {
  if (index === undefined || tokens[index]?.text !== ".") return false;
  const before = tokens[index - 1];
  return before === undefined || (before.kind === "symbol" && !/^[)\]}]$/.test(before.text));
}

/** The name behind the dot that a node's position points at. */
function memberName(node: Expr): string | undefined {
  switch (node.exprKind.case) {
    case "selectExpr":
      return node.exprKind.value.field;
    case "callExpr":
      return node.exprKind.value.target === undefined ? undefined : node.exprKind.value.function;
    default:
      return undefined;
  }
}

/** Too deep, counted without going deeper than that. */
function depthIssue(syntax: Expr, limits: ExpressionLimits): Issue | undefined {
  if (depthOf(syntax, limits.depthMax * 4) <= limits.depthMax * 4) return undefined;
  return {
    code: "CEL_LIMIT",
    message: "the expression has too many operations in a row",
    hint: "split it with let steps",
    offset: 0,
    length: 1,
  };
}

function depthOf(node: Expr, left: number): number {
  if (left < 0) return 1;
  let deepest = 0;
  for (const child of childrenOf(node)) deepest = Math.max(deepest, depthOf(child, left - 1));
  return deepest + 1;
}

/** The nodes right below a node, in evaluation order. */
export function childrenOf(node: Expr): readonly Expr[] {
  const { exprKind } = node;
  switch (exprKind.case) {
    case "selectExpr":
      return present([exprKind.value.operand]);
    case "callExpr":
      return present([exprKind.value.target, ...exprKind.value.args]);
    case "listExpr":
      return exprKind.value.elements;
    case "structExpr":
      return present(
        exprKind.value.entries.flatMap((entry) => [
          entry.keyKind.case === "mapKey" ? entry.keyKind.value : undefined,
          entry.value,
        ]),
      );
    case "comprehensionExpr": {
      const { iterRange, accuInit, loopCondition, loopStep, result } = exprKind.value;
      return present([iterRange, accuInit, loopCondition, loopStep, result]);
    }
    default:
      return [];
  }
}

function present(nodes: readonly (Expr | undefined)[]): readonly Expr[] {
  return nodes.filter((node) => node !== undefined);
}
