import type { Constant, Expr } from "@bufbuild/cel-spec/cel/expr/syntax_pb.js";

/** A tree in words, without ids, with the place of each node when `place` tells it. */
export function showTree(node: Expr | undefined, place: (id: bigint) => string = () => ""): string {
  if (node === undefined) return "nothing";
  const show = (part: Expr | undefined): string => showTree(part, place);
  const all = (parts: readonly Expr[]): string => parts.map(show).join(", ");
  const { exprKind } = node;
  const at = place(node.id);
  switch (exprKind.case) {
    case "identExpr":
      return exprKind.value.name + at;
    case "constExpr":
      return showConstant(exprKind.value) + at;
    case "selectExpr": {
      const { operand, field, testOnly } = exprKind.value;
      return `(${show(operand)}${testOnly ? ".has " : "."}${field})${at}`;
    }
    case "callExpr": {
      const { target, args } = exprKind.value;
      return `${target === undefined ? "" : `${show(target)}.`}${exprKind.value.function}(${all(args)})${at}`;
    }
    case "listExpr":
      return `[${all(exprKind.value.elements)}]?${exprKind.value.optionalIndices.join(",")}${at}`;
    case "structExpr": {
      const entries = exprKind.value.entries.map(({ id, keyKind, value, optionalEntry }) => {
        const key = keyKind.case === "mapKey" ? show(keyKind.value) : (keyKind.value ?? "");
        return `${optionalEntry ? "?" : ""}${key}: ${show(value)}${place(id)}`;
      });
      return `${exprKind.value.messageName}{${entries.join(", ")}}${at}`;
    }
    case "comprehensionExpr": {
      const { iterVar, iterVar2, iterRange, accuVar, accuInit, loopCondition, loopStep, result } = exprKind.value;
      const over = `${iterVar} ${iterVar2} in ${show(iterRange)}; ${accuVar} = ${show(accuInit)}`;
      return `fold(${over}; ${show(loopCondition)}; ${show(loopStep)}; ${show(result)})${at}`;
    }
    case undefined:
      return "nothing";
  }
}

function showConstant({ constantKind }: Constant): string {
  const { case: kind, value } = constantKind;
  if (value instanceof Uint8Array) return `b${JSON.stringify([...value])}`;
  if (kind === "stringValue") return JSON.stringify(value);
  if (kind === "doubleValue") return `double(${Object.is(value, -0) ? "-0" : value})`;
  return `${kind}(${typeof value === "object" ? "" : String(value)})`;
}
