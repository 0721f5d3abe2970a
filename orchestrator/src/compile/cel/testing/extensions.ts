import type { Expr } from "@bufbuild/cel-spec/cel/expr/syntax_pb.js";
import type { Declarations, Signature } from "../declarations.ts";
import { childrenOf } from "../parse.ts";
import * as types from "../type.ts";
import type { CelType } from "../type.ts";

const { boolType, bytesType, doubleType, dynType, intType, listOf, stringType, uintType } = types;
const numbers = [intType, uintType, doubleType];
const wholes = [intType, uintType];
const A: CelType = { kind: "unknown", number: -1 };

function plain(result: CelType, ...parameters: CelType[]): Signature {
  return { isMember: false, parameters, result };
}

const extremes: readonly Signature[] = [
  ...numbers.map((type) => plain(type, type)),
  ...numbers.flatMap((left) => numbers.map((right) => plain(left === right ? left : dynType, left, right))),
  ...numbers.map((type) => plain(type, listOf(type))),
];
const bits = wholes.map((type) => plain(type, type, type));
const shifts = wholes.map((type) => plain(type, type, intType));
const rounding = [plain(doubleType, doubleType)];
const tests = [plain(boolType, doubleType)];

/** Functions that the suite tests and the evaluator has not: math, base64, extensions of proto2, blocks. */
export const extensionDeclarations: Declarations = new Map<string, readonly Signature[]>([
  ["math.greatest", extremes],
  ["math.least", extremes],
  ["math.ceil", rounding],
  ["math.floor", rounding],
  ["math.round", rounding],
  ["math.trunc", rounding],
  ["math.isInf", tests],
  ["math.isNaN", tests],
  ["math.isFinite", tests],
  ["math.abs", numbers.map((type) => plain(type, type))],
  ["math.sign", numbers.map((type) => plain(type, type))],
  ["math.sqrt", numbers.map((type) => plain(doubleType, type))],
  ["math.bitAnd", bits],
  ["math.bitOr", bits],
  ["math.bitXor", bits],
  ["math.bitNot", wholes.map((type) => plain(type, type))],
  ["math.bitShiftLeft", shifts],
  ["math.bitShiftRight", shifts],
  ["base64.encode", [plain(stringType, bytesType)]],
  ["base64.decode", [plain(bytesType, stringType)]],
  ["proto.hasExt", [plain(boolType, dynType, A)]],
  ["proto.getExt", [plain(A, dynType, A)]],
  ["cel.block", [plain(A, listOf(dynType), A)]],
  ["cel.index", [plain(dynType, intType)]],
  ["cel.iterVar", [plain(dynType, intType, intType)]],
]);

/** Of three and more, math.greatest and math.least take a list: cel-go's macro writes it so. */
export function gatherMath(node: Expr): void {
  const call = node.exprKind.case === "callExpr" ? node.exprKind.value : undefined;
  const { exprKind } = call?.target ?? {};
  const isMath = exprKind?.case === "identExpr" && exprKind.value.name === "math";
  if (call !== undefined && isMath && call.args.length > 2 && /^(greatest|least)$/.test(call.function)) {
    const elements = call.args;
    const list = { $typeName: "cel.expr.Expr.CreateList" as const, elements, optionalIndices: [] };
    call.args = [{ $typeName: "cel.expr.Expr", id: node.id, exprKind: { case: "listExpr", value: list } }];
  }
  childrenOf(node).forEach(gatherMath);
}
