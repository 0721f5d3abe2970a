import type { Expr, Expr_Call } from "@bufbuild/cel-spec/cel/expr/syntax_pb.js";
import { parseExpression } from "../cel/parse.ts";
import { defaultExpressionLimits } from "../cel/limits.ts";
import { didYouMean } from "../closest.ts";
import { isFieldName, runFields } from "./field.ts";
import type { FieldKind } from "./field.ts";
import { literalOf, textOf } from "./literal.ts";
import { everyRun } from "./runFilter.ts";
import type { Comparison, RunFilter, RunPlace, TextTest } from "./runFilter.ts";
import { refuse, WrongFilter } from "./wrong.ts";

/** A filter, or why the text is none. */
export type ParsedFilter =
  | { readonly kind: "filter"; readonly filter: RunFilter }
  | {
      readonly kind: "wrong";
      readonly message: string;
      readonly hint: string | undefined;
      /** UTF-16 offset into the text. */
      readonly offset: number;
      readonly length: number;
    };

/**
 * Reads a filter: the part of CEL that a database can answer. Fields and `attributes.<name>` are compared with literals by ==, !=, <, <=, >, >=
 * and `in`, texts by startsWith, endsWith and contains; `has(attributes.x)`; all joined by &&, || and !. What has no value equals nothing. An
 * empty text means every run.
 */
export function parseFilter(source: string, nowMs: number): ParsedFilter {
  if (source.trim() === "") return { kind: "filter", filter: everyRun };
  const parsed = parseExpression(source, defaultExpressionLimits);
  if (parsed.kind === "wrong") {
    const { message, hint, offset, length } = parsed.issue;
    return { kind: "wrong", message, hint, offset, length };
  }
  try {
    return { kind: "filter", filter: condition(parsed.syntax, nowMs) };
  } catch (error) {
    if (!(error instanceof WrongFilter)) throw error;
    return { kind: "wrong", message: error.message, hint: error.hint, ...parsed.spanOf(error.node) };
  }
}

function condition(node: Expr, nowMs: number): RunFilter {
  const { exprKind } = node;
  if (exprKind.case === "constExpr" && exprKind.value.constantKind.case === "boolValue")
    return { kind: "constant", value: exprKind.value.constantKind.value };
  if (exprKind.case === "selectExpr" && exprKind.value.testOnly) return { kind: "present", place: presentPlace(node) };
  if (exprKind.case === "identExpr" || exprKind.case === "selectExpr") return bare(node);
  if (exprKind.case !== "callExpr") return refuse(node, "a condition is expected here", forms);
  const { value } = exprKind;
  switch (value.function) {
    case "_&&_":
      return { kind: "all", of: value.args.map((arg) => condition(arg, nowMs)) };
    case "_||_":
      return { kind: "any", of: value.args.map((arg) => condition(arg, nowMs)) };
    case "!_":
      return { kind: "not", of: condition(value.args[0] ?? node, nowMs) };
    case "@in":
      return membership(node, value, nowMs);
    case "startsWith":
    case "endsWith":
    case "contains":
      return textTest(node, value, value.function);
    case "_[_]":
      return bare(node);
    default:
      return comparison(node, value, nowMs);
  }
}

const forms = 'write it like: state == PAUSED && attributes.customer == "c-1"';

/** A field that is true or false says so itself. */
function bare(node: Expr): RunFilter {
  const place = placeOf(node) ?? refuse(node, "a condition is expected here", forms);
  if (kindOf(place) !== "bool" && place.kind === "field")
    return refuse(node, `compare '${place.name}' with something`, forms);
  return { kind: "compare", place, operator: "=", value: { kind: "bool", value: true } };
}

const operators: ReadonlyMap<string, Comparison | "!="> = new Map([
  ["_==_", "="],
  ["_!=_", "!="],
  ["_<_", "<"],
  ["_<=_", "<="],
  ["_>_", ">"],
  ["_>=_", ">="],
]);
const mirrored: Readonly<Record<Comparison, Comparison>> = { "=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<=" };

function comparison(node: Expr, { function: name, args }: Expr_Call, nowMs: number): RunFilter {
  const operator = operators.get(name);
  const [left, right] = args;
  if (operator === undefined || left === undefined || right === undefined)
    return refuse(node, `'${name.replaceAll("_", "")}' can't be used in a filter`, forms);
  const onLeft = placeOf(left);
  const place = onLeft ?? placeOf(right) ?? refuse(left, unknownPlace(left), fieldHint(left));
  const value = literalOf(onLeft === undefined ? left : right, kindOf(place), nowMs);
  if (operator === "!=") return { kind: "not", of: { kind: "compare", place, operator: "=", value } };
  if (operator !== "=" && value.kind !== "number")
    return refuse(node, "only numbers and times are more or less than others", "compare it with == or !=");
  return { kind: "compare", place, operator: onLeft === undefined ? mirrored[operator] : operator, value };
}

function membership(node: Expr, { args }: Expr_Call, nowMs: number): RunFilter {
  const [left, right] = args;
  if (left === undefined || right?.exprKind.case !== "listExpr")
    return refuse(right ?? node, "a list is expected here", "write it like: state in [FAILED, COMPENSATED]");
  const place = placeOf(left) ?? refuse(left, unknownPlace(left), fieldHint(left));
  const values = right.exprKind.value.elements.map((element) => literalOf(element, kindOf(place), nowMs));
  return { kind: "any", of: values.map((value) => ({ kind: "compare", place, operator: "=", value })) };
}

function textTest(node: Expr, { target, args }: Expr_Call, how: TextTest): RunFilter {
  const [only] = args;
  if (target === undefined || only === undefined)
    return refuse(node, `${how} is asked of a text`, `write it like: workflow.${how}("…")`);
  const place = placeOf(target) ?? refuse(target, unknownPlace(target), fieldHint(target));
  const kind = kindOf(place);
  if (kind !== "text" && kind !== "any") return refuse(target, "this is no text", "compare it with ==");
  const value = textOf(only) ?? refuse(only, "a text is expected here", 'write it in quotes: "…"');
  return { kind: "text", place, how, value };
}

function kindOf(place: RunPlace): FieldKind {
  return place.kind === "attribute" ? "any" : runFields[place.name];
}

/** `state`, `attributes.customer` or `attributes["customer"]`. */
function placeOf(node: Expr): RunPlace | undefined {
  const { exprKind } = node;
  if (exprKind.case === "identExpr")
    return isFieldName(exprKind.value.name) ? { kind: "field", name: exprKind.value.name } : undefined;
  if (exprKind.case === "selectExpr") {
    const { operand, field } = exprKind.value;
    return isAttributes(operand) ? attribute(node, field) : undefined;
  }
  if (exprKind.case !== "callExpr" || exprKind.value.function !== "_[_]") return undefined;
  const [holder, name] = exprKind.value.args;
  const text = name === undefined ? undefined : textOf(name);
  return isAttributes(holder) && text !== undefined ? attribute(node, text) : undefined;
}

function presentPlace(node: Expr): RunPlace {
  return placeOf(node) ?? refuse(node, "has() asks for an attribute here", "write has(attributes.name)");
}

function isAttributes(node: Expr | undefined): boolean {
  return node?.exprKind.case === "identExpr" && node.exprKind.value.name === "attributes";
}

function attribute(node: Expr, name: string): RunPlace {
  if (/^[a-z][a-z0-9_]{0,99}$/.test(name)) return { kind: "attribute", name };
  return refuse(node, `'${name.slice(0, 40)}' can't be the name of an attribute`, undefined);
}

function unknownPlace({ exprKind }: Expr): string {
  return exprKind.case === "identExpr"
    ? `a run has no field '${exprKind.value.name}'`
    : "a field of the run is expected here";
}

function fieldHint({ exprKind }: Expr): string {
  const names = Object.keys(runFields);
  const near = exprKind.case === "identExpr" ? didYouMean(exprKind.value.name, [...names, "attributes"]) : "";
  return near || `the fields are ${names.join(", ")} and attributes.<name>`;
}
