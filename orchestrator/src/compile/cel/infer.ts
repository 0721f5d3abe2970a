import type { Constant, Expr, Expr_CreateList, Expr_Select } from "@bufbuild/cel-spec/cel/expr/syntax_pb.js";
import type { DescField } from "@bufbuild/protobuf";
import { candidateNames } from "../../engine/expression/value.ts";
import { didYouMean } from "../closest.ts";
import { inferCall } from "./call.ts";
import { report, suggest } from "./checking.ts";
import type { Checking, Place, Typed, Want } from "./checking.ts";
import { inferComprehension } from "./comprehension.ts";
import { fieldType } from "./field.ts";
import { adaptLiteral, elementWant, inferAs } from "./fit.ts";
import { isSteps } from "./guard.ts";
import { openHeld } from "./held.ts";
import { inferBraces } from "./message.ts";
import {
  constantNames,
  inferName,
  inferStep,
  localNamed,
  lookUp,
  packageRoots,
  readableHere,
  unknownNode,
} from "./names.ts";
import { makeCall, makeConstant, makeList, makeNode } from "./node.ts";
import { inferOptionalList, insideOptional, makeOptionalSelect } from "./optional.ts";
import {
  boolType,
  bytesType,
  doubleType,
  dynType,
  intType,
  listOf,
  nullType,
  stringType,
  typeOfField,
  uintType,
} from "./type.ts";
import type { CelType } from "./type.ts";
import { freshType, join, prune } from "./unify.ts";

/** The type of a node and what it is rewritten to; what is wrong with it is reported on the way. */
export function infer(checking: Checking, node: Expr, place: Place, want: Want | undefined): Typed {
  const { exprKind } = node;
  switch (exprKind.case) {
    case "constExpr":
      return inferConstant(checking, node, exprKind.value, want);
    case "identExpr":
      return inferName(checking, node, exprKind.value.name, place, want);
    case "selectExpr":
      return inferSelect(checking, node, exprKind.value, place, want);
    case "callExpr":
      return inferCall(checking, node, exprKind.value, place, want);
    case "listExpr":
      return inferList(checking, node, exprKind.value, place, want);
    case "structExpr":
      return inferBraces(checking, node, exprKind.value, place, want);
    case "comprehensionExpr":
      return inferComprehension(checking, node, exprKind.value, place, want);
    case undefined:
      return unknownNode(node);
  }
}

function inferConstant(checking: Checking, node: Expr, constant: Constant, want: Want | undefined): Typed {
  const { constantKind } = constant;
  if (constantKind.case === "int64Value" && want !== undefined && checking.strict) {
    const adapted = adaptLiteral(checking, node, constantKind.value, want);
    if (adapted !== undefined) return adapted;
  }
  if (constantKind.case === "uint64Value" && want?.kept !== undefined && checking.strict)
    adaptLiteral(checking, node, constantKind.value, want);
  return { type: typeOfConstant(constantKind.case), node: makeConstant(checking, node, constantKind) };
}

function typeOfConstant(kind: Constant["constantKind"]["case"]): CelType {
  switch (kind) {
    case "boolValue":
      return boolType;
    case "int64Value":
      return intType;
    case "uint64Value":
      return uintType;
    case "doubleValue":
      return doubleType;
    case "stringValue":
      return stringType;
    case "bytesValue":
      return bytesType;
    case "nullValue":
      return nullType;
    case "durationValue":
    case "timestampValue":
    case undefined:
      return dynType;
  }
}

function inferList(
  checking: Checking,
  node: Expr,
  literal: Expr_CreateList,
  place: Place,
  want: Want | undefined,
): Typed {
  const wanted = elementWant(checking, want);
  const known = wanted !== undefined && prune(checking.substitution, wanted.type).kind !== "unknown";
  if (literal.optionalIndices.length > 0)
    return inferOptionalList(checking, node, literal, place, known ? wanted : undefined);
  let element: CelType | undefined = known ? wanted.type : undefined;
  const nodes = literal.elements.map((item) => {
    if (known) return inferAs(checking, item, place, wanted).node;
    const typed = checking.infer(checking, item, place, undefined);
    element = join(checking.substitution, element, typed.type);
    return typed.node;
  });
  return {
    type: listOf(element ?? wanted?.type ?? freshType(checking.substitution)),
    node: makeList(checking, node, nodes),
  };
}

function inferSelect(checking: Checking, node: Expr, select: Expr_Select, place: Place, want: Want | undefined): Typed {
  const { operand, field, testOnly } = select;
  if (operand === undefined) return unknownNode(node);
  if (isSteps(operand, place) && checking.steps !== undefined) return inferStep(checking, node, field, testOnly);
  if (!testOnly) {
    const named = inferQualified(checking, node, place);
    if (named !== undefined) return named;
  }
  const of = checking.infer(checking, operand, place, undefined);
  const known = prune(checking.substitution, of.type);
  const source =
    known.kind === "message" ? known.message.fields.find((candidate) => candidate.name === field) : undefined;
  const { readsRedacted, redacted } = checking.found;
  const before = redacted.length;
  const type = fieldType(checking, node, known, field);
  if (testOnly) {
    // That a field is set says nothing of its value.
    checking.found.readsRedacted = readsRedacted;
    redacted.length = before;
  }
  if (insideOptional(known) !== undefined) {
    const chosen = makeOptionalSelect(checking, node, of.node, field);
    return testOnly
      ? { type: boolType, node: makeCall(checking, node, "@hasValue", [chosen]) }
      : { type, node: chosen };
  }
  const held = testOnly || source === undefined ? undefined : of.holds?.get(field);
  if (held !== undefined)
    return openHeld(checking, node, of.node, field, held, want?.presence === undefined ? "bare" : "copied");
  if (!testOnly && source !== undefined && copiesPresence(source, want)) {
    const name = makeConstant(checking, node, { case: "stringValue", value: field });
    return { type, node: makeCall(checking, node, "@copy", [of.node, name]) };
  }
  const value: Expr_Select = { $typeName: "cel.expr.Expr.Select", operand: of.node, field, testOnly };
  return { type: testOnly ? boolType : type, node: makeNode(checking, node, { case: "selectExpr", value }) };
}

/** FeatureSet.FieldPresence.IMPLICIT */
const implicitPresence = 2;

function copiesPresence(source: DescField, want: Want | undefined): boolean {
  if (want?.presence === undefined || source.fieldKind === "list" || source.fieldKind === "map") return false;
  if (source.presence === implicitPresence) return false;
  return want.presence === "explicit" || (source.fieldKind === "message" && typeOfField(source).kind === "wrapper");
}

/** A name with dots that stands for a type, an enum's value or a variable. */
function inferQualified(checking: Checking, node: Expr, place: Place): Typed | undefined {
  const path = qualifiedName(node);
  if (path === undefined) return undefined;
  const root = path.names[0] ?? "";
  const absolute = checking.parsed.isAbsolute(path.root);
  if (!absolute && localNamed(place.locals, root) !== undefined) return undefined;
  const dot = absolute ? "." : "";
  const found = lookUp(checking, node, dot + path.names.join("."), place);
  if (found !== undefined || lookUp(checking, path.root, dot + root, place) !== undefined) return found;
  return inferUnknownPath(checking, node, { root: path.root, names: path.names, place });
}

/** A name with dots whose first part is nothing: a value an enum has not, or a type nobody knows. */
function inferUnknownPath(
  checking: Checking,
  node: Expr,
  { root, names, place }: { readonly root: Expr; readonly names: readonly string[]; readonly place: Place },
): Typed | undefined {
  for (const candidate of candidateNames(names.slice(0, -1).join("."), checking.container)) {
    const desc = checking.registry.getEnum(candidate);
    if (desc === undefined) continue;
    const values = desc.values.map((value) => value.name);
    const last = names.at(-1) ?? "";
    const type = report(
      checking,
      node,
      "CEL_UNKNOWN_NAME",
      `enum ${candidate} has no value '${last}'`,
      suggest(last, values, "values"),
    );
    return { type, node };
  }
  const path = names.join(".");
  for (const candidate of candidateNames(path, checking.container)) {
    if (checking.registry.getEnum(candidate) === undefined) continue;
    const type = report(checking, node, "CEL_TYPE", `${candidate} is an enum`, `name a value of it: ${path}.VALUE`);
    return { type, node };
  }
  if (!packageRoots(checking.registry).has(names[0] ?? "")) return undefined;
  const near = didYouMean(path, constantNames(checking.registry)) || readableHere(checking, names, place);
  return { type: report(checking, root, "CEL_UNKNOWN_NAME", `unknown name '${path}'`, near), node };
}

function qualifiedName(node: Expr): { readonly root: Expr; readonly names: readonly string[] } | undefined {
  const { exprKind } = node;
  if (exprKind.case === "identExpr") return { root: node, names: [exprKind.value.name] };
  if (exprKind.case !== "selectExpr" || exprKind.value.testOnly || exprKind.value.operand === undefined)
    return undefined;
  const outer = qualifiedName(exprKind.value.operand);
  return outer === undefined ? undefined : { root: outer.root, names: [...outer.names, exprKind.value.field] };
}
