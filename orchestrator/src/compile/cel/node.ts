import { ConstantSchema, ExprSchema } from "@bufbuild/cel-spec/cel/expr/syntax_pb.js";
import type { Constant, Expr } from "@bufbuild/cel-spec/cel/expr/syntax_pb.js";
import { create } from "@bufbuild/protobuf";
import type { Checking } from "./checking.ts";

/** A node of the rewritten tree that stands where `origin` does. */
export function makeNode(checking: Checking, origin: Expr, exprKind: Expr["exprKind"]): Expr {
  const node = create(ExprSchema, { exprKind });
  checking.offsets.set(node, checking.parsed.spanOf(origin).offset);
  return node;
}

/** A reference to a variable. */
export function makeName(checking: Checking, origin: Expr, name: string): Expr {
  return makeNode(checking, origin, { case: "identExpr", value: nameValue(name) });
}

function nameValue(name: string): (Expr["exprKind"] & { readonly case: "identExpr" })["value"] {
  return { $typeName: "cel.expr.Expr.Ident", name };
}

/** A constant. */
export function makeConstant(checking: Checking, origin: Expr, constantKind: Constant["constantKind"]): Expr {
  return makeNode(checking, origin, { case: "constExpr", value: create(ConstantSchema, { constantKind }) });
}

/** A call of a function. */
export function makeCall(checking: Checking, origin: Expr, name: string, args: Expr[], target?: Expr): Expr {
  const value = {
    $typeName: "cel.expr.Expr.Call" as const,
    function: name,
    args,
    ...(target === undefined ? {} : { target }),
  };
  return makeNode(checking, origin, { case: "callExpr", value });
}

/** A list literal. */
export function makeList(checking: Checking, origin: Expr, elements: Expr[]): Expr {
  return makeNode(checking, origin, {
    case: "listExpr",
    value: { $typeName: "cel.expr.Expr.CreateList", elements, optionalIndices: [] },
  });
}

/** `body` with a name for a value: a fold over nothing, as cel.bind is. */
export function makeBinding(checking: Checking, origin: Expr, name: string, value: Expr, body: Expr): Expr {
  return makeNode(checking, origin, {
    case: "comprehensionExpr",
    value: {
      $typeName: "cel.expr.Expr.Comprehension",
      iterVar: "@unused",
      iterVar2: "",
      iterRange: makeList(checking, origin, []),
      accuVar: name,
      accuInit: value,
      loopCondition: makeConstant(checking, origin, { case: "boolValue", value: false }),
      loopStep: makeName(checking, origin, name),
      result: body,
    },
  });
}
