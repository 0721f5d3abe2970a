import type { Expr } from "@bufbuild/cel-spec/cel/expr/syntax_pb.js";
import type { Issue } from "./issue.ts";
import type { ExpressionLimits } from "./limits.ts";
import { wholeDialect } from "./macro.ts";
import { parseTokens } from "./parser.ts";
import { syntaxIssue, tokenize } from "./token.ts";
import type { Span } from "./tree.ts";

const utf8 = new TextEncoder();

/** A parsed expression that knows where each part of it stands. */
export interface Parsed {
  readonly kind: "parsed";
  readonly syntax: Expr;
  /** The word a node stands at: its name, its operator, the bracket of a literal; of a selection the field's name. */
  readonly spanOf: (node: Expr) => Span;
  /** The word that a node or an entry stands at, by its id. */
  readonly spanAt: (id: bigint) => Span;
  /** The identifier was written with a dot before it: it names something absolutely. */
  readonly isAbsolute: (node: Expr) => boolean;
}

/** Parses an expression within the limits, or says what is wrong with it. */
export function parseExpression(
  source: string,
  limits: ExpressionLimits,
  dialect = wholeDialect,
): Parsed | { readonly kind: "wrong"; readonly issue: Issue } {
  const size = utf8.encode(source).length;
  if (size > limits.sourceBytesMax)
    return tooBig(`the expression has ${size} bytes, ${limits.sourceBytesMax} are allowed`);
  if (source.trim() === "") return { kind: "wrong", issue: syntaxIssue("the expression is empty", undefined, 0, 1) };
  const tokens = tokenize(source);
  if ("code" in tokens) return { kind: "wrong", issue: tokens };
  const parsed = parseTokens(tokens, limits.depthMax, dialect);
  if (parsed.kind === "wrong") return parsed;
  const { root, tree } = parsed;
  if (tree.nodeCount > limits.nodesMax)
    return tooBig(`the expression has ${tree.nodeCount} parts, ${limits.nodesMax} are allowed`);
  const inRowMax = limits.depthMax * 4;
  if (isDeeper(root, inRowMax - 1)) return tooBig(`the expression has more than ${inRowMax} operations in a row`);
  const spanAt = (id: bigint): Span => tree.spans.get(id) ?? { offset: 0, length: 1 };
  return {
    kind: "parsed",
    syntax: root,
    spanOf: (node) => spanAt(node.id),
    spanAt,
    isAbsolute: (node) => tree.absolute.has(node.id),
  };
}

function tooBig(message: string): { readonly kind: "wrong"; readonly issue: Issue } {
  return {
    kind: "wrong",
    issue: { code: "CEL_LIMIT", message, hint: "split it with let steps", offset: 0, length: 1 },
  };
}

/** Too deep, found out without going deeper than that. */
function isDeeper(root: Expr, depthMax: number): boolean {
  if (depthMax < 0) return true;
  return childrenOf(root).some((child) => isDeeper(child, depthMax - 1));
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
