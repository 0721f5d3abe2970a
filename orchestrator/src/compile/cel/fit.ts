import type { Expr } from "@bufbuild/cel-spec/cel/expr/syntax_pb.js";
import { ScalarType } from "@bufbuild/protobuf";
import type { DescMessage } from "@bufbuild/protobuf";
import type { ValueType } from "../../engine/expression/value.ts";
import { noteRedacted, report } from "./checking.ts";
import type { Checking, Place, Typed, Want } from "./checking.ts";
import { standardDeclarations } from "./declarations.ts";
import { makeConstant } from "./node.ts";
import { holdsDyn, redactedMessage } from "./redacted.ts";
import { boolType, isOptionalType, showType, typeOfValue } from "./type.ts";
import type { CelType } from "./type.ts";
import { fits, prune, resolve } from "./unify.ts";

/** Types a node where something is wanted, and reports when it isn't that. */
export function inferAs(checking: Checking, node: Expr, place: Place, want: Want): Typed {
  const typed = checking.infer(checking, node, place, want);
  return fitTo(checking, node, typed, want);
}

/** Types a node that must be true or false. */
export function inferCondition(checking: Checking, node: Expr, place: Place, what: string): Typed {
  return inferAs(checking, node, place, { type: boolType, what });
}

/** The typed node where something is wanted: an issue when it isn't that. */
export function fitTo(checking: Checking, node: Expr, typed: Typed, want: Want): Typed {
  const given = prune(checking.substitution, typed.type);
  if (!fits(checking.substitution, typed.type, want.type)) {
    const shown = resolve(checking.substitution, typed.type);
    const wanted = resolve(checking.substitution, want.type);
    const message = `${want.what === undefined ? "expected" : `${want.what} is`} ${showType(wanted)}, the expression is ${showType(shown)}`;
    return { type: report(checking, node, "CEL_TYPE", message, conversionHint(shown, wanted)), node: typed.node };
  }
  if (checking.strict && want.kept !== undefined && holdsOptional(resolve(checking.substitution, typed.type))) {
    const message = `${want.what ?? "the value"} can't be kept: it holds an optional value`;
    return {
      type: report(checking, node, "CEL_TYPE", message, "orValue(x) takes what is in it, or x"),
      node: typed.node,
    };
  }
  noteWhole(checking, node, typed, want);
  if (
    want.kept?.kind === "enum" &&
    given.kind === "int" &&
    given.enum !== undefined &&
    given.enum.typeName !== want.kept.enum.typeName
  ) {
    const message = `${want.what ?? "the value"} is ${want.kept.enum.typeName}, the expression is a value of ${given.enum.typeName}`;
    return { type: report(checking, node, "CEL_TYPE", message, "int(…) takes the number as it is"), node: typed.node };
  }
  return typed;
}

/** A message with redacted fields that becomes JSON, as google.protobuf.Struct and Value hold it: the fields lose their declarations. */
function noteWhole(checking: Checking, node: Expr, typed: Typed, want: Want): void {
  if (!holdsDyn(resolve(checking.substitution, want.type))) return;
  const message = redactedMessage(resolve(checking.substitution, typed.type));
  if (message !== undefined) noteRedacted(checking, node, message.typeName);
}

/** An optional value, or one in a list or map, has no form as bytes. */
function holdsOptional(type: CelType): boolean {
  if (type.kind === "list") return holdsOptional(type.element);
  return type.kind === "map" ? holdsOptional(type.value) : isOptionalType(type);
}

/** A whole-number literal where another kind of number is wanted becomes that kind; one that can't be in range is an issue. */
export function adaptLiteral(checking: Checking, node: Expr, value: bigint, want: Want): Typed | undefined {
  const wanted = prune(checking.substitution, want.type);
  const type = wanted.kind === "wrapper" ? wanted.element : wanted;
  const wrong = wrongConstant(want.kept, value);
  if (wrong !== undefined) report(checking, node, "CEL_CONSTANT", wrong.message, wrong.hint);
  if (type.kind === "double") {
    return { type, node: makeConstant(checking, node, { case: "doubleValue", value: Number(value) }) };
  }
  if (type.kind !== "uint") return undefined;
  if (value < 0n && wrong === undefined) return undefined;
  return { type, node: makeConstant(checking, node, { case: "uint64Value", value: value < 0n ? 0n : value }) };
}

/** Why a field of that kind can't hold the number. */
function wrongConstant(
  kept: ValueType | undefined,
  value: bigint,
): { readonly message: string; readonly hint: string } | undefined {
  const range = rangeOf(kept);
  if (range !== undefined && (value < range.min || value > range.max)) {
    return {
      message: `${value} does not fit ${range.name}`,
      hint: `${range.name} goes from ${range.min} to ${range.max}`,
    };
  }
  if (kept?.kind !== "enum" || kept.enum.open || kept.enum.value[Number(value)] !== undefined) return undefined;
  return {
    message: `${value} is no value of ${kept.enum.typeName}`,
    hint: enumHint(kept.enum.values.map((known) => known.name)),
  };
}

function enumHint(names: readonly string[]): string {
  return `its values: ${names.slice(0, 12).join(", ")}${names.length > 12 ? ", …" : ""}`;
}

interface Range {
  readonly name: string;
  readonly min: bigint;
  readonly max: bigint;
}

function rangeOf(kept: ValueType | undefined): Range | undefined {
  if (kept?.kind === "enum") return { name: "an enum", min: -0x8000_0000n, max: 0x7fff_ffffn };
  const scalar =
    kept?.kind === "scalar" ? kept.scalar : kept?.kind === "message" ? wrappedScalar(kept.message) : undefined;
  switch (scalar) {
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return { name: "int32", min: -0x8000_0000n, max: 0x7fff_ffffn };
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return { name: "uint32", min: 0n, max: 0xffff_ffffn };
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return { name: "uint64", min: 0n, max: 0xffff_ffff_ffff_ffffn };
    default:
      return undefined;
  }
}

function wrappedScalar(message: DescMessage): ScalarType | undefined {
  if (message.typeName === "google.protobuf.Int32Value") return ScalarType.INT32;
  return message.typeName === "google.protobuf.UInt32Value" ? ScalarType.UINT32 : undefined;
}

const convertible: ReadonlySet<string> = new Set([
  "int",
  "uint",
  "double",
  "string",
  "bool",
  "bytes",
  "timestamp",
  "duration",
]);

/** How to get from one type to another. */
export function conversionHint(given: CelType, wanted: CelType): string | undefined {
  const target = wanted.kind === "wrapper" ? wanted.element : wanted;
  const source = given.kind === "wrapper" ? given.element : given;
  if (isOptionalType(given)) return "orValue(x) takes what is in it, or x";
  if (given.kind === "null") return "leave it out: what is not set has no value";
  if (convertible.has(target.kind) && convertible.has(source.kind)) {
    const forms = standardDeclarations.get(target.kind) ?? [];
    if (forms.some((form) => form.parameters[0]?.kind === source.kind)) return `convert it with ${target.kind}(…)`;
  }
  if (given.kind === "list" && target.kind !== "list") return "take an element, x[0] for example";
  if (target.kind === "list" && given.kind !== "list") return "put it into a list: [x]";
  return undefined;
}

/** What is wanted of an element of a list. */
export function elementWant(checking: Checking, want: Want | undefined): Want | undefined {
  const type = want === undefined ? undefined : prune(checking.substitution, want.type);
  if (type?.kind !== "list") return undefined;
  const kept = want?.kept?.kind === "list" ? want.kept.element : undefined;
  return withKept({ type: type.element, what: elementOf(want) }, kept);
}

/** What is wanted of a key and of a value of a map. */
export function entryWants(
  checking: Checking,
  want: Want | undefined,
): { readonly key: Want; readonly value: Want } | undefined {
  const type = want === undefined ? undefined : prune(checking.substitution, want.type);
  if (type?.kind !== "map") return undefined;
  const kept = want?.kept?.kind === "map" ? want.kept : undefined;
  const suffix = want?.what === undefined ? "" : ` in ${want.what}`;
  return {
    key: withKept(
      { type: type.key, what: `the key${suffix}` },
      kept === undefined ? undefined : { kind: "scalar", scalar: kept.key },
    ),
    value: withKept({ type: type.value, what: `the value${suffix}` }, kept?.value),
  };
}

function elementOf(want: Want | undefined): string {
  return want?.what === undefined ? "the element" : `an element of ${want.what}`;
}

function withKept(want: Want, kept: ValueType | undefined): Want {
  return kept === undefined ? want : { ...want, kept };
}

/** A want for a kept type. */
export function wantOf(kept: ValueType, what?: string): Want {
  return what === undefined ? { type: typeOfValue(kept), kept } : { type: typeOfValue(kept), kept, what };
}
