import type {
  Constant,
  Expr,
  Expr_Comprehension,
  Expr_CreateStruct_Entry,
} from "@bufbuild/cel-spec/cel/expr/syntax_pb.js";
import type { Token } from "./token.ts";

/** A piece of the source. */
export interface Span {
  readonly offset: number;
  readonly length: number;
}

/** A tree that is being parsed: its nodes get ids 1, 2, 3 …, and each the word it stands at. */
export interface Tree {
  nodeCount: number;
  readonly spans: Map<bigint, Span>;
  /** Ids of the identifiers that were written with a dot before them. */
  readonly absolute: Set<bigint>;
}

/** A tree without nodes. */
export function newTree(): Tree {
  return { nodeCount: 0, spans: new Map(), absolute: new Set() };
}

/** The words from one to another. */
export function spanOfTokens(from: Token, to = from): Span {
  return { offset: from.start, length: Math.max(1, to.end - from.start) };
}

/** A node at a place. */
export function node(tree: Tree, span: Span, exprKind: Expr["exprKind"]): Expr {
  return { $typeName: "cel.expr.Expr", id: nextId(tree, span), exprKind };
}

function nextId(tree: Tree, span: Span): bigint {
  tree.nodeCount += 1;
  const id = BigInt(tree.nodeCount);
  tree.spans.set(id, span);
  return id;
}

/** A constant. */
export function constant(tree: Tree, span: Span, constantKind: Constant["constantKind"]): Expr {
  return node(tree, span, { case: "constExpr", value: { $typeName: "cel.expr.Constant", constantKind } });
}

/** true or false. */
export function bool(tree: Tree, span: Span, value: boolean): Expr {
  return constant(tree, span, { case: "boolValue", value });
}

/** An identifier. */
export function ident(tree: Tree, span: Span, name: string): Expr {
  return node(tree, span, { case: "identExpr", value: { $typeName: "cel.expr.Expr.Ident", name } });
}

/** A call of a function, an operator, or of a method of `target`. */
export function call(tree: Tree, span: Span, name: string, args: readonly Expr[], target?: Expr): Expr {
  const value = { $typeName: "cel.expr.Expr.Call" as const, function: name, args: [...args] };
  return node(tree, span, { case: "callExpr", value: target === undefined ? value : { ...value, target } });
}

/** A selection of a field, or the test whether it is there. */
export function select(tree: Tree, span: Span, operand: Expr, field: string, testOnly = false): Expr {
  return node(tree, span, {
    case: "selectExpr",
    value: { $typeName: "cel.expr.Expr.Select", operand, field, testOnly },
  });
}

/** A list literal; `optionalIndices` are the elements with a ? before them. */
export function list(tree: Tree, span: Span, elements: readonly Expr[], optionalIndices: readonly number[] = []): Expr {
  return node(tree, span, {
    case: "listExpr",
    value: {
      $typeName: "cel.expr.Expr.CreateList",
      elements: [...elements],
      optionalIndices: [...optionalIndices],
    },
  });
}

/** An entry of a literal in braces. */
export function entry(
  tree: Tree,
  span: Span,
  keyKind: Expr_CreateStruct_Entry["keyKind"],
  value: Expr,
  optionalEntry: boolean,
): Expr_CreateStruct_Entry {
  return { $typeName: "cel.expr.Expr.CreateStruct.Entry", id: nextId(tree, span), keyKind, value, optionalEntry };
}

/** A literal in braces: a map, or the named message. */
export function struct(tree: Tree, span: Span, entries: readonly Expr_CreateStruct_Entry[], messageName = ""): Expr {
  return node(tree, span, {
    case: "structExpr",
    value: { $typeName: "cel.expr.Expr.CreateStruct", entries: [...entries], messageName },
  });
}

/** A fold over a list or map. */
export function fold(tree: Tree, span: Span, parts: Omit<Expr_Comprehension, "$typeName" | "$unknown">): Expr {
  return node(tree, span, {
    case: "comprehensionExpr",
    value: { $typeName: "cel.expr.Expr.Comprehension", ...parts },
  });
}

/** Terms joined by one operator, as a balanced tree: a long row of them is not deep. */
export function balanced(
  tree: Tree,
  name: string,
  terms: readonly Expr[],
  operators: readonly Token[],
): Expr | undefined {
  if (terms.length === 1) return terms[0];
  const middle = operators.length >> 1;
  const left = balanced(tree, name, terms.slice(0, middle + 1), operators.slice(0, middle));
  const right = balanced(tree, name, terms.slice(middle + 1), operators.slice(middle + 1));
  const operator = operators[middle];
  if (left === undefined || right === undefined || operator === undefined) return undefined;
  return call(tree, spanOfTokens(operator), name, [left, right]);
}

/** Signs before a value: each pair of equal ones is none. */
export function signed(tree: Tree, signs: readonly Token[], operand: Expr): Expr {
  let result = operand;
  for (let at = signs.length - 1; at >= 0;) {
    const sign = signs[at];
    let begin = at;
    while (begin > 0 && signs[begin - 1]?.text === sign?.text) begin -= 1;
    const first = signs[begin];
    if (first !== undefined && (at - begin) % 2 === 0)
      result = call(tree, spanOfTokens(first), `${first.text}_`, [result]);
    at = begin - 1;
  }
  return result;
}
