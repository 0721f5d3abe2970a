import { celList, celMap, celUint, isCelError, parse, plan } from "@bufbuild/cel";
import type { CelInput, CelValue } from "@bufbuild/cel";
import type { Type } from "@bufbuild/cel-spec/cel/expr/checked_pb.js";
import type { Expr } from "@bufbuild/cel-spec/cel/expr/syntax_pb.js";
import type { Value } from "@bufbuild/cel-spec/cel/expr/value_pb.js";
import { getTestRegistry } from "@bufbuild/cel-spec/testdata/registry.js";
import type { IncrementalTest, IncrementalTestSuite } from "@bufbuild/cel-spec/testdata/tests.js";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { rewrittenName } from "../../../engine/expression/activation.ts";
import { absent } from "../../../engine/expression/build.ts";
import { toEnvironment } from "../../../engine/expression/environment.ts";
import { withWellKnown } from "../../../engine/expression/wellKnown.ts";
import type { Dialect } from "../macro.ts";
import { nothingFound } from "../checking.ts";
import type { Checking, KnownVariable, Typed } from "../checking.ts";
import { standardDeclarations } from "../declarations.ts";
import { extensionDeclarations, gatherMath } from "./extensions.ts";
import type { Declarations, Signature } from "../declarations.ts";
import { infer } from "../infer.ts";
import { childrenOf } from "../parse.ts";
import type { Parsed } from "../parse.ts";
import * as types from "../type.ts";
import type { CelType } from "../type.ts";

/** The types of the suite. */
export const registry = withWellKnown(getTestRegistry());
/** Bounds that the suite does not meet. */
export const limits = { sourceBytesMax: 100_000, nodesMax: 100_000, comprehensionDepthMax: 100, depthMax: 400 };

/** The language as cel-go had it when it recorded the types. */
export const recordedDialect: Dialect = {
  optionalSyntax: false,
  twoVariables: false,
  bindings: true,
  quotedFields: false,
};

/** Sections that test functions which the evaluator has not: base64, math, proto2 extensions, blocks, enums that are types of their own, and types of optional values. */
const lacking: ReadonlySet<string> = new Set(["block_ext", "encoders_ext", "math_ext", "proto2_ext"]);
const lackingParts = ["enums/strong_proto2", "enums/strong_proto3", "proto2/extensions_", "optionals/optionals/type"];

/** One test of the suite and where it stands. */
export interface Case {
  readonly path: string;
  readonly section: string;
  readonly test: IncrementalTest;
}

/** All tests of a suite. */
export function* casesOf(suite: IncrementalTestSuite, path: readonly string[] = []): Generator<Case> {
  for (const inner of suite.suites) yield* casesOf(inner, [...path, inner.name]);
  for (const one of suite.tests) yield { path: [...path, one.name].join("/"), section: path[0] ?? "", test: one };
}

/** cel-go's own suite names its test messages otherwise. */
export function rename(text: string): string {
  return text.replaceAll(/google\.expr\.proto([23])\.test/g, "cel.expr.conformance.proto$1");
}

/** Does the test need what the evaluator has not? */
export function isLacking({ path, section }: Case): boolean {
  return lacking.has(section) || lackingParts.some((part) => path.startsWith(part));
}

/** A test's expression, checked. */
export interface Outcome {
  readonly typed: Typed;
  readonly checking: Checking;
}

/** Checks a test's expression with the variables and functions it declares. */
export function check(
  parsed: Parsed,
  one: IncrementalTest,
  extra: Declarations,
  builtIn: ReadonlyMap<string, CelType>,
): Outcome {
  const variables = new Map<string, KnownVariable>(extensionVariables);
  for (const [name, type] of builtIn) variables.set(name, { kind: "certain", type, kept: undefined });
  const declared = new Map<string, Signature[]>();
  for (const declaration of one.original.typeEnv) {
    if (declaration.declKind.case === "ident" && declaration.declKind.value.type !== undefined) {
      variables.set(declaration.name, {
        kind: "certain",
        type: toType(declaration.declKind.value.type),
        kept: undefined,
      });
    }
    if (declaration.declKind.case === "function") {
      declared.set(
        declaration.name,
        declaration.declKind.value.overloads.map((overload) => ({
          isMember: overload.isInstanceFunction,
          parameters: overload.params.map(toType),
          result: overload.resultType === undefined ? types.dynType : toType(overload.resultType),
        })),
      );
    }
  }
  const checking: Checking = {
    registry,
    container: rename(one.original.container),
    parsed,
    variables,
    steps: undefined,
    builtIns: new Map(),
    declarations: [declared, extra, extensionDeclarations, standardDeclarations],
    comprehensionDepthMax: limits.comprehensionDepthMax,
    strict: false,
    substitution: { bindings: new Map(), next: 0 },
    issues: [],
    found: nothingFound(),
    offsets: new WeakMap(),
    infer,
  };
  gatherMath(parsed.syntax);
  return {
    typed: infer(checking, parsed.syntax, { locals: undefined, ran: new Set(), comprehensions: 0 }, undefined),
    checking,
  };
}

/** Extensions of messages, by their full names: what proto.getExt is given. */
const extensionVariables: ReadonlyMap<string, KnownVariable> = new Map(
  [...registry].flatMap((desc): [string, KnownVariable][] => {
    if (desc.kind !== "extension") return [];
    const element = desc.message === undefined ? types.intType : types.typeOfMessage(desc.message);
    const type = desc.fieldKind === "list" ? types.listOf(element) : element;
    return [[desc.typeName, { kind: "certain", type, kept: undefined }]];
  }),
);

function toType(type: Type): CelType {
  const kind = type.typeKind;
  const primitives = [
    types.dynType,
    types.boolType,
    types.intType,
    types.uintType,
    types.doubleType,
    types.stringType,
    types.bytesType,
  ];
  switch (kind.case) {
    case "null":
      return types.nullType;
    case "primitive":
      return primitives[kind.value] ?? types.dynType;
    case "wrapper":
      return { kind: "wrapper", element: primitives[kind.value] ?? types.dynType, message: undefined };
    case "wellKnown":
      return [types.dynType, types.anyType, types.timestampType, types.durationType][kind.value] ?? types.dynType;
    case "listType":
      return types.listOf(kind.value.elemType === undefined ? types.dynType : toType(kind.value.elemType));
    case "mapType":
      return types.mapOf(
        kind.value.keyType === undefined ? types.dynType : toType(kind.value.keyType),
        kind.value.valueType === undefined ? types.dynType : toType(kind.value.valueType),
      );
    case "messageType": {
      const message = registry.getMessage(rename(kind.value));
      return message === undefined
        ? { kind: "opaque", name: kind.value, parameters: [] }
        : types.typeOfMessage(message);
    }
    case "typeParam":
      return {
        kind: "unknown",
        number: -1000 - Array.from(kind.value).reduce((sum, character) => sum * 31 + character.charCodeAt(0), 7),
      };
    case "type":
      return { kind: "type", of: kind.value.typeKind.case === undefined ? types.dynType : toType(kind.value) };
    case "abstractType":
      return { kind: "opaque", name: kind.value.name, parameters: kind.value.parameterTypes.map(toType) };
    default:
      return types.dynType;
  }
}

const environment = toEnvironment(registry);

/** The value of a rewritten expression, as a stored one would have it. */
export function evaluate({ typed, checking }: Outcome, one: IncrementalTest): CelValue | Error {
  let count = 0;
  const number = (node: Expr): void => {
    count += 1;
    node.id = BigInt(count);
    childrenOf(node).forEach(number);
  };
  number(typed.node);
  const variables: Record<string, CelInput> = { [rewrittenName.absent]: absent };
  for (const [name, bound] of Object.entries(one.original.bindings)) {
    if (bound.kind.case === "value") variables[rewrittenName.variable(name)] = toInput(bound.kind.value);
  }
  environment.meter.stepsLeft = 100_000;
  environment.meter.builders = checking.found.builders.map(({ message, fields }) => ({
    message,
    fields,
    required: [],
    registry,
  }));
  const result = plan(environment.cel, typed.node)(variables);
  return isCelError(result) ? new Error(result.message) : result;
}

function toInput(value: Value): CelInput {
  const { kind } = value;
  switch (kind.case) {
    case "uint64Value":
      return celUint(kind.value);
    case "enumValue":
      return BigInt(kind.value.value);
    case "objectValue": {
      const unpacked = anyUnpack(kind.value, registry);
      if (unpacked === undefined) throw new Error(`unknown ${kind.value.typeUrl}`);
      return unpacked;
    }
    case "listValue":
      return celList(kind.value.values.map(toInput));
    case "mapValue":
      return celMap(
        new Map(
          kind.value.entries.map((entry) => [
            toKey(entry.key),
            entry.value === undefined ? null : toInput(entry.value),
          ]),
        ),
      );
    case "typeValue":
      return plan(
        environment.cel,
        parse(kind.value.includes("google.protobuf") ? `.${kind.value}` : kind.value),
      )({}) as CelInput;
    case "nullValue":
    case undefined:
      return null;
    default:
      return kind.value;
  }
}

function toKey(key: Value | undefined): string | bigint | boolean | ReturnType<typeof celUint> {
  switch (key?.kind.case) {
    case "int64Value":
    case "stringValue":
    case "boolValue":
      return key.kind.value;
    case "uint64Value":
      return celUint(key.kind.value);
    default:
      throw new Error("no key");
  }
}

/** Is the result what the test expects? */
export function isExpected(one: IncrementalTest, result: CelValue | Error): boolean {
  const matcher = one.original.resultMatcher;
  if (matcher.case === "evalError" || matcher.case === "anyEvalErrors") return result instanceof Error;
  if (result instanceof Error) return false;
  const expected = matcher.case === "value" ? toInput(matcher.value) : matcher.case === undefined ? true : undefined;
  if (expected === undefined)
    return (
      matcher.case === "typedResult" &&
      matcher.value.result !== undefined &&
      equal(toInput(matcher.value.result), result)
    );
  return equal(expected, result);
}

function equal(a: CelInput, b: CelInput): boolean {
  if (typeof a === "number" && Number.isNaN(a)) return typeof b === "number" && Number.isNaN(b);
  return plan(environment.cel, parse("a == b && type(a) == type(b)"))({ a, b }) === true;
}
