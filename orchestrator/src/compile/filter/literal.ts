import type { Expr } from "@bufbuild/cel-spec/cel/expr/syntax_pb.js";
import { parseDuration } from "../duration.ts";
import { didYouMean } from "../closest.ts";
import { namedNumbers } from "./field.ts";
import type { FieldKind } from "./field.ts";
import type { FilterValue } from "./runFilter.ts";
import { refuse } from "./wrong.ts";

const durationMaxMs = 100 * 366 * 86_400_000;

/** The value that is written there, for a field of that kind. Throws WrongFilter. */
export function literalOf(node: Expr, kind: FieldKind, nowMs: number): FilterValue {
  switch (kind) {
    case "text":
      return {
        kind: "text",
        value: textOf(node) ?? refuse(node, "a text is expected here", 'write it in quotes: "…"'),
      };
    case "number":
      return {
        kind: "number",
        value: numberOf(node) ?? refuse(node, "a number is expected here", "write digits, without quotes"),
      };
    case "bool":
      return { kind: "bool", value: boolOf(node) ?? refuse(node, "true or false is expected here", undefined) };
    case "time":
      return { kind: "number", value: timeOf(node, nowMs) ?? refuse(node, "a time is expected here", timeForms) };
    case "state":
    case "code":
      return { kind: "number", value: named(node, kind) };
    case "any":
      return anyOf(node, nowMs) ?? refuse(node, "a text, a number, true, false or a time is expected here", undefined);
  }
}

const timeForms = 'write timestamp("2026-01-31T00:00:00Z"), or now - duration("1h")';

function anyOf(node: Expr, nowMs: number): FilterValue | undefined {
  const text = textOf(node);
  if (text !== undefined) return { kind: "text", value: text };
  const number = numberOf(node) ?? timeOf(node, nowMs) ?? spanOf(node);
  if (number !== undefined) return { kind: "number", value: number };
  const bool = boolOf(node);
  return bool === undefined ? undefined : { kind: "bool", value: bool };
}

/** The text of a literal. */
export function textOf({ exprKind }: Expr): string | undefined {
  const constant = exprKind.case === "constExpr" ? exprKind.value.constantKind : undefined;
  return constant?.case === "stringValue" ? constant.value : undefined;
}

function boolOf({ exprKind }: Expr): boolean | undefined {
  const constant = exprKind.case === "constExpr" ? exprKind.value.constantKind : undefined;
  return constant?.case === "boolValue" ? constant.value : undefined;
}

function numberOf({ exprKind }: Expr): number | undefined {
  if (exprKind.case === "callExpr" && exprKind.value.function === "-_") {
    const [operand] = exprKind.value.args;
    const positive = operand === undefined ? undefined : numberOf(operand);
    return positive === undefined ? undefined : -positive;
  }
  const constant = exprKind.case === "constExpr" ? exprKind.value.constantKind : undefined;
  switch (constant?.case) {
    case "int64Value":
    case "uint64Value":
      return Number(constant.value);
    case "doubleValue":
      return constant.value;
    default:
      return undefined;
  }
}

/** `timestamp("…")`, `now`, and a time with a duration added or taken away. */
function timeOf(node: Expr, nowMs: number): number | undefined {
  const { exprKind } = node;
  if (exprKind.case === "identExpr") return exprKind.value.name === "now" ? nowMs : undefined;
  if (exprKind.case !== "callExpr") return undefined;
  const { function: name, args } = exprKind.value;
  const [first, second] = args;
  if (first === undefined) return undefined;
  if (name === "timestamp") return timestampOf(first);
  if ((name !== "_-_" && name !== "_+_") || second === undefined) return undefined;
  const from = timeOf(first, nowMs);
  const span = spanOf(second);
  if (from === undefined || span === undefined) return undefined;
  return name === "_-_" ? from - span : from + span;
}

function timestampOf(node: Expr): number {
  const text = textOf(node);
  const isTime = text !== undefined && /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[-+]\d\d:\d\d))?$/.test(text);
  const ms = isTime ? Date.parse(text) : Number.NaN;
  return Number.isNaN(ms) ? refuse(node, "this is no time", timeForms) : ms;
}

/** `duration("1h")` in milliseconds. */
function spanOf({ exprKind }: Expr): number | undefined {
  const [node] = exprKind.case === "callExpr" && exprKind.value.function === "duration" ? exprKind.value.args : [];
  if (node === undefined) return undefined;
  const parsed = parseDuration(textOf(node) ?? "", durationMaxMs);
  return parsed.kind === "ok" ? parsed.ms : refuse(node, parsed.message, parsed.hint);
}

/** A state or a code by its name, bare or in quotes. */
function named(node: Expr, kind: "state" | "code"): number {
  const { exprKind } = node;
  const name = exprKind.case === "identExpr" ? exprKind.value.name : textOf(node);
  const names = namedNumbers[kind];
  const found = name === undefined ? undefined : names.get(name.toUpperCase());
  if (found !== undefined) return found;
  const message = name === undefined ? `the name of a ${kind} is expected here` : `there is no ${kind} '${name}'`;
  return refuse(node, message, didYouMean(name ?? "", names.keys()) || `one of ${[...names.keys()].join(", ")}`);
}
