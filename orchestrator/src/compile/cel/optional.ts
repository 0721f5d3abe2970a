import type { Expr, Expr_CreateList } from "@bufbuild/cel-spec/cel/expr/syntax_pb.js";
import { report } from "./checking.ts";
import type { Checking, Place, Typed, Want } from "./checking.ts";
import { fieldType } from "./field.ts";
import { inferAs } from "./fit.ts";
import { openHeld } from "./held.ts";
import { makeBinding, makeCall, makeConstant, makeList, makeName } from "./node.ts";
import { errorType, isOptionalType, listOf, optionalOf, showType } from "./type.ts";
import type { CelType } from "./type.ts";
import { fits, freshType, join, prune, resolve } from "./unify.ts";

/** What is inside an optional type; undefined when the type is no optional. */
export function insideOptional(type: CelType): CelType | undefined {
  return isOptionalType(type) ? type.parameters[0] : undefined;
}

/** The type as an optional, which it may be already: a field of what may be missing may be missing. */
function madeOptional(type: CelType): CelType {
  return insideOptional(type) === undefined ? optionalOf(type) : type;
}

/** A selection that may be missing: `a.?b`, or `a.b` of an optional `a`. */
export function makeOptionalSelect(checking: Checking, origin: Expr, operand: Expr, field: string): Expr {
  const name = makeConstant(checking, origin, { case: "stringValue", value: field });
  return makeCall(checking, origin, "@optSelect", [operand, name]);
}

/** An entry with a ? before it: the value inside the optional, and absent when there is none. */
export function inferOptionalEntry(checking: Checking, value: Expr, place: Place, want: Want | undefined): Typed {
  const { presence: _, kept: __, ...plain } = want ?? { type: freshType(checking.substitution) };
  const typed = inferOptional(checking, value, place, plain);
  return { type: typed.type, node: makeCall(checking, value, "@orAbsent", [typed.node]) };
}

/** An expression that must be an optional; typed as what is inside. */
export function inferOptional(checking: Checking, value: Expr, place: Place, want: Want): Typed {
  const typed = checking.infer(checking, value, place, undefined);
  const known = prune(checking.substitution, typed.type);
  const inside = insideOptional(known);
  if (inside === undefined && known.kind !== "dyn" && known.kind !== "error" && known.kind !== "unknown") {
    const message = `what stands behind a ? is an optional value, the expression is ${showType(resolve(checking.substitution, known))}`;
    const hint = "a.?b and a[?b] are optional values; leave the ? out for what is always there";
    return { type: report(checking, value, "CEL_TYPE", message, hint), node: typed.node };
  }
  if (inside === undefined) return { type: want.type, node: typed.node };
  if (!fits(checking.substitution, inside, want.type)) {
    const shown = [want.type, inside].map((type) => showType(resolve(checking.substitution, type)));
    const message = `${want.what === undefined ? "expected" : `${want.what} is`} ${shown[0]}, the optional value has ${shown[1]}`;
    return { type: report(checking, value, "CEL_TYPE", message), node: typed.node };
  }
  return { type: inside, node: typed.node };
}

/** A list literal with optional elements: each part becomes a list, and these are put together when it runs. */
export function inferOptionalList(
  checking: Checking,
  node: Expr,
  literal: Expr_CreateList,
  place: Place,
  wanted: Want | undefined,
): Typed {
  const optional = new Set(literal.optionalIndices);
  let element = wanted?.type;
  const parts = literal.elements.map((item, at) => {
    const typed = optional.has(at)
      ? inferOptional(checking, item, place, wanted ?? { type: freshType(checking.substitution) })
      : wanted === undefined
        ? checking.infer(checking, item, place, undefined)
        : inferAs(checking, item, place, wanted);
    if (wanted === undefined) element = join(checking.substitution, element, typed.type);
    return optional.has(at) ? typed.node : makeList(checking, item, [typed.node]);
  });
  const type = listOf(element ?? freshType(checking.substitution));
  return { type, node: makeCall(checking, node, "@flat", [makeList(checking, node, parts)]) };
}

/** `a.?b`: the field's value when it is set. */
export function inferOptionalSelect(checking: Checking, node: Expr, args: readonly Expr[], place: Place): Typed {
  const [operand, name] = args;
  const constant = name?.exprKind.case === "constExpr" ? name.exprKind.value.constantKind : undefined;
  if (operand === undefined || constant?.case !== "stringValue") return { type: errorType, node };
  const of = checking.infer(checking, operand, place, undefined);
  const held = of.holds?.get(constant.value);
  if (held !== undefined) return openHeld(checking, node, of.node, constant.value, held, "optional");
  const type = fieldType(checking, node, prune(checking.substitution, of.type), constant.value);
  return {
    type: type.kind === "error" ? type : madeOptional(type),
    node: makeOptionalSelect(checking, node, of.node, constant.value),
  };
}

const rewritten: ReadonlyMap<string, string> = new Map([
  ["optional.of", "@some"],
  ["optional.none", "@none"],
  ["optional.ofNonZeroValue", "@someNonZero"],
  ["hasValue", "@hasValue"],
  ["value", "@unwrap"],
  ["_[?_]", "@optIndex"],
  ["_[_]", "@index"],
]);

/**
 * A call of a function as the evaluator has it. What `or` and `orValue` take in place of a missing value is evaluated only when it is missing.
 */
export function makeFunction(
  checking: Checking,
  origin: Expr,
  name: string,
  isMember: boolean,
  typed: readonly Typed[],
  result: CelType,
): Expr {
  const nodes = typed.map((part) => part.node);
  const [first, ...rest] = nodes;
  const [second] = rest;
  if (isMember && first !== undefined && second !== undefined && (name === "or" || name === "orValue"))
    return makeFallback(checking, origin, first, second, name === "orValue");
  const container = prune(checking.substitution, typed[0]?.type ?? result);
  if (name === "_[_]" && insideOptional(container) !== undefined) return makeCall(checking, origin, "@optIndex", nodes);
  const known = rewritten.get(name);
  if (known !== undefined) return makeCall(checking, origin, known, nodes);
  return isMember ? makeCall(checking, origin, name, rest, first) : makeCall(checking, origin, name, nodes);
}

function makeFallback(checking: Checking, origin: Expr, optional: Expr, other: Expr, unwraps: boolean): Expr {
  const bound = `@o${checking.found.locals}`;
  checking.found.locals += 1;
  const read = (): Expr => makeName(checking, origin, bound);
  const test = makeCall(checking, origin, "@hasValue", [read()]);
  const there = unwraps ? makeCall(checking, origin, "@unwrap", [read()]) : read();
  return makeBinding(checking, origin, bound, optional, makeCall(checking, origin, "_?_:_", [test, there, other]));
}
