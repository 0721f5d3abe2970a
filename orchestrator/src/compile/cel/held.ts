import type { Expr, Expr_Select } from "@bufbuild/cel-spec/cel/expr/syntax_pb.js";
import type { DescMessage } from "@bufbuild/protobuf";
import { rewrittenName } from "../../engine/expression/activation.ts";
import type { Checking, Typed } from "./checking.ts";
import { makeCall, makeConstant, makeName, makeNode } from "./node.ts";
import { optionalOf, typeOfMessage } from "./type.ts";

/**
 * The message that a field of type Any is known to hold, read bare; absent where the field is unset and its presence is copied; or as an optional
 * value.
 */
export function openHeld(
  checking: Checking,
  node: Expr,
  operand: Expr,
  field: string,
  held: DescMessage,
  as: "bare" | "copied" | "optional",
): Typed {
  checking.found.types.add(held.typeName);
  const names = [field, held.typeName].map((value) => makeConstant(checking, node, { case: "stringValue", value }));
  const opened = makeCall(checking, node, "@open", [operand, ...names]);
  const type = typeOfMessage(held);
  if (as === "bare") return { type, node: opened };
  const test: Expr_Select = { $typeName: "cel.expr.Expr.Select", operand, field, testOnly: true };
  const isSet = makeNode(checking, node, { case: "selectExpr", value: test });
  const [there, other] =
    as === "copied"
      ? [opened, makeName(checking, node, rewrittenName.absent)]
      : [makeCall(checking, node, "@some", [opened]), makeCall(checking, node, "@none", [])];
  const chosen = makeCall(checking, node, "_?_:_", [isSet, there, other]);
  return { type: as === "copied" ? type : optionalOf(type), node: chosen };
}
