import { celList, celMap, celUint, isCelError, parse, plan } from "@bufbuild/cel";
import type { CelInput, CelValue } from "@bufbuild/cel";
import type { Type } from "@bufbuild/cel-spec/cel/expr/checked_pb.js";
import type { Expr } from "@bufbuild/cel-spec/cel/expr/syntax_pb.js";
import type { Value } from "@bufbuild/cel-spec/cel/expr/value_pb.js";
import { getTestRegistry } from "@bufbuild/cel-spec/testdata/registry.js";
import { getCheckingSuite, getConformanceSuite } from "@bufbuild/cel-spec/testdata/tests.js";
import type { IncrementalTest, IncrementalTestSuite } from "@bufbuild/cel-spec/testdata/tests.js";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { rewrittenName } from "../../engine/expression/activation.ts";
import { absent } from "../../engine/expression/build.ts";
import { toEnvironment } from "../../engine/expression/environment.ts";
import { withWellKnown } from "../../engine/expression/wellKnown.ts";
import type { Checking, KnownVariable, Typed } from "./checking.ts";
import { standardDeclarations } from "./declarations.ts";
import type { Declarations, Signature } from "./declarations.ts";
import { infer } from "./infer.ts";
import { childrenOf, parseExpression } from "./parse.ts";
import type { Parsed } from "./parse.ts";
import * as types from "./type.ts";
import type { CelType } from "./type.ts";
import { resolve } from "./unify.ts";

const registry = withWellKnown(getTestRegistry());
const limits = { sourceBytesMax: 100_000, comprehensionDepthMax: 100, depthMax: 1000 };

/**
 * Sections of the suite that test what the evaluator has not: two-variable macros, cel.bind and blocks, base64, math, optional values,
 * proto2 extensions, network types and enums as types of their own (`enums/strong_*`).
 */
const lacking = ["macros2", "bindings_ext", "block_ext", "encoders_ext", "math_ext", "optionals", "proto2_ext", "network_ext"];
const lackingParts = ["enums/strong_proto2", "enums/strong_proto3"];

interface Case {
  readonly path: string;
  readonly section: string;
  readonly test: IncrementalTest;
}

function* casesOf(suite: IncrementalTestSuite, path: readonly string[] = []): Generator<Case> {
  for (const inner of suite.suites) yield* casesOf(inner, [...path, inner.name]);
  for (const one of suite.tests) yield { path: [...path, one.name].join("/"), section: path[0] ?? "", test: one };
}

/** cel-go's own suite names its test messages otherwise. */
function rename(text: string): string {
  return text.replaceAll(/google\.expr\.proto([23])\.test/g, "cel.expr.conformance.proto$1");
}

function isLacking({ path, section }: Case): boolean {
  return lacking.includes(section) || lackingParts.some((part) => path.startsWith(part));
}

interface Outcome {
  readonly typed: Typed;
  readonly checking: Checking;
}

function check(parsed: Parsed, one: IncrementalTest, extra: Declarations, builtIn: ReadonlyMap<string, CelType>): Outcome {
  const variables = new Map<string, KnownVariable>();
  for (const [name, type] of builtIn) variables.set(name, { kind: "certain", type, kept: undefined });
  const declared = new Map<string, Signature[]>();
  for (const declaration of one.original.typeEnv) {
    if (declaration.declKind.case === "ident" && declaration.declKind.value.type !== undefined) {
      variables.set(declaration.name, { kind: "certain", type: toType(declaration.declKind.value.type), kept: undefined });
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
    declarations: [declared, extra, standardDeclarations],
    comprehensionDepthMax: limits.comprehensionDepthMax,
    strict: false,
    substitution: { bindings: new Map(), next: 0 },
    issues: [],
    found: { variables: new Map(), steps: new Set(), builtIns: new Set(), types: new Set(), builders: [], locals: 0 },
    offsets: new WeakMap(),
    infer,
  };
  return { typed: infer(checking, parsed.syntax, { locals: undefined, ran: new Set(), comprehensions: 0 }, undefined), checking };
}

function toType(type: Type): CelType {
  const kind = type.typeKind;
  const primitives = [types.dynType, types.boolType, types.intType, types.uintType, types.doubleType, types.stringType, types.bytesType];
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
      return message === undefined ? { kind: "opaque", name: kind.value, parameters: [] } : types.typeOfMessage(message);
    }
    case "typeParam":
      return { kind: "unknown", number: -1000 - [...kind.value].reduce((sum, character) => sum * 31 + character.charCodeAt(0), 7) };
    case "type":
      return { kind: "type", of: kind.value.typeKind.case === undefined ? types.dynType : toType(kind.value) };
    case "abstractType":
      return { kind: "opaque", name: kind.value.name, parameters: kind.value.parameterTypes.map(toType) };
    default:
      return types.dynType;
  }
}

function sameType(ours: string, theirs: string): boolean {
  const plain = theirs.replace(/google\.protobuf\.(Timestamp|Duration|Any)/g, (_, name: string) => name.toLowerCase()).replace(/null_type/g, "null");
  return ours === plain;
}

type Verdict = "same type" | "same error" | "error of ours" | "type of ours" | "other type" | "unparsed";

function compareTypes(one: Case, extra: Declarations, builtIn: ReadonlyMap<string, CelType>): { verdict: Verdict; detail: string } {
  const { original, type, error } = one.test;
  const parsed = parseExpression(rename(original.expr), limits);
  if (parsed.kind === "wrong") return { verdict: error === undefined ? "unparsed" : "same error", detail: parsed.issue.message };
  const { typed, checking } = check(parsed, one.test, extra, builtIn);
  const issue = checking.issues[0];
  if (issue !== undefined) return { verdict: error === undefined ? "error of ours" : "same error", detail: issue.message };
  const shown = types.showType(resolve(checking.substitution, typed.type));
  if (error !== undefined) return { verdict: "type of ours", detail: `${shown} | ${error.split("\n")[0] ?? ""}` };
  return { verdict: sameType(shown, rename(type ?? "")) ? "same type" : "other type", detail: `${shown} | ${type ?? ""}` };
}

function tally(cases: readonly Case[], extra: Declarations, builtIn: ReadonlyMap<string, CelType>): { counts: Record<string, number>; differing: string[] } {
  const counts: Record<string, number> = {};
  const differing: string[] = [];
  for (const one of cases) {
    const { verdict, detail } = compareTypes(one, extra, builtIn);
    counts[verdict] = (counts[verdict] ?? 0) + 1;
    if (verdict !== "same type" && verdict !== "same error") differing.push(`${one.path}: ${verdict}: ${detail}`);
  }
  return { counts, differing };
}

/** Cases in which we and cel-go differ, each for a reason. */
const knownDifferences: readonly { readonly reason: string; readonly cases: number; readonly path: RegExp }[] = [
  { reason: "our depth bound is another", cases: 1, path: /^parse\/nest\/parens/ },
  { reason: "the arguments of format() are checked when it runs", cases: 17, path: /^string_ext\/format_errors/ },
  { reason: "the type of the type `type` has one more turn in our spelling", cases: 2, path: /^conversions\/type\/type_(denotation|type)/ },
  { reason: "a constant out of range is refused already here", cases: 2, path: /^dynamic\/uint32\/field_assign_proto[23]_range/ },
  { reason: "optional values are not supported", cases: 6, path: /optional|null_assignable_to_abstract/ },
  { reason: "a message or null stays a message", cases: 3, path: /legacy_nullable_types\/null_assignable_to_(message|duration|timestamp)/ },
  { reason: "a list of ints and wrapped ints is one of wrapped ints", cases: 1, path: /wrappers\/wrapper_promotion_2/ },
  { reason: "numbers of different kinds compare, as the specification has it", cases: 6, path: /^1 (<|<=|>|>=) 1\.0 && / },
  { reason: "the container of the test's registry is longer than the suite's", cases: 1, path: /^test\.TestAllTypes/ },
  { reason: "the suite's group has a field which the registry's has not", cases: 1, path: /nestedgroup\.nested_id/ },
];

function explain(differing: readonly string[]): { readonly unexplained: readonly string[]; readonly explained: number } {
  const unexplained = differing.filter((path) => !knownDifferences.some((known) => known.path.test(path)));
  return { unexplained, explained: differing.length - unexplained.length };
}

test("types are those that cel-go derives for the conformance suite", () => {
  const cases = [...casesOf(getConformanceSuite())].filter((one) => !isLacking(one));
  const { counts, differing } = tally(cases, new Map(), new Map());
  expect(explain(differing)).toEqual({ unexplained: [], explained: 32 });
  expect(counts).toEqual({ "same type": 1754, "same error": 133, "other type": 6, "error of ours": 8, "type of ours": 18 });
});

test("types are those that cel-go derives for the tests of its checker", () => {
  const builtIn = new Map<string, CelType>([
    ["is", types.stringType],
    ["ii", types.intType],
    ["iu", types.uintType],
    ["iz", types.boolType],
    ["ib", types.bytesType],
    ["id", types.doubleType],
    ["ix", types.nullType],
  ]);
  const extra: Declarations = new Map([
    ["fg_s", [{ isMember: false, parameters: [], result: types.stringType }]],
    ["fi_s_s", [{ isMember: true, parameters: [types.stringType], result: types.stringType }]],
  ]);
  const { counts, differing } = tally([...casesOf(getCheckingSuite())], extra, builtIn);
  expect(explain(differing)).toEqual({ unexplained: [], explained: 8 });
  expect(counts).toEqual({ "same type": 94, "same error": 33, "error of ours": 2, "type of ours": 6 });
});

const environment = toEnvironment(registry);

/** The value of a rewritten expression, as a stored one would have it. */
function evaluate({ typed, checking }: Outcome, one: IncrementalTest): CelValue | Error {
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
  environment.meter.builders = checking.found.builders.map(({ message, fields }) => ({ message, fields, required: [], registry }));
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
      return celMap(new Map(kind.value.entries.map((entry) => [toKey(entry.key), entry.value === undefined ? null : toInput(entry.value)])));
    case "typeValue":
      return plan(environment.cel, parse(kind.value.includes("google.protobuf") ? `.${kind.value}` : kind.value))({}) as CelInput;
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

function isExpected(one: IncrementalTest, result: CelValue | Error): boolean {
  const matcher = one.original.resultMatcher;
  if (matcher.case === "evalError" || matcher.case === "anyEvalErrors") return result instanceof Error;
  if (result instanceof Error) return false;
  const expected = matcher.case === "value" ? toInput(matcher.value) : matcher.case === undefined ? true : undefined;
  if (expected === undefined) return matcher.case === "typedResult" && matcher.value.result !== undefined && equal(toInput(matcher.value.result), result);
  return equal(expected, result);
}

function equal(a: CelInput, b: CelInput): boolean {
  if (typeof a === "number" && Number.isNaN(a)) return typeof b === "number" && Number.isNaN(b);
  return plan(environment.cel, parse("a == b && type(a) == type(b)"))({ a, b }) === true;
}

test("rewritten expressions evaluate to what the conformance suite expects", () => {
  const reached: Record<string, string> = {};
  const other: string[] = [];
  const counts = new Map<string, { expected: number; all: number }>();
  for (const one of casesOf(getConformanceSuite())) {
    if (isLacking(one) || one.test.original.checkOnly || one.test.original.disableCheck) continue;
    const parsed = parseExpression(one.test.original.expr, limits);
    if (parsed.kind === "wrong") continue;
    const outcome = check(parsed, one.test, new Map(), new Map());
    if (outcome.checking.issues.length > 0) continue;
    const count = counts.get(one.section) ?? { expected: 0, all: 0 };
    counts.set(one.section, count);
    count.all += 1;
    if (isExpected(one.test, evaluate(outcome, one.test))) count.expected += 1;
    else other.push(one.path);
  }
  for (const [section, { expected, all }] of counts) reached[section] = `${expected} of ${all}`;
  // The library lets a map have the same number twice as keys of two kinds.
  expect(other).toEqual(["fields/qualified_identifier_resolution/map_value_repeat_key_heterogeneous"]);
  expect(reached).toMatchInlineSnapshot(`
    {
      "basic": "39 of 39",
      "comparisons": "385 of 385",
      "conversions": "108 of 108",
      "dynamic": "204 of 204",
      "enums": "39 of 39",
      "fields": "48 of 49",
      "fp_math": "29 of 29",
      "integer_math": "61 of 61",
      "lists": "39 of 39",
      "logic": "21 of 21",
      "macros": "44 of 44",
      "namespace": "2 of 2",
      "parse": "202 of 202",
      "plumbing": "4 of 4",
      "proto2": "82 of 82",
      "proto3": "67 of 67",
      "string": "51 of 51",
      "string_ext": "165 of 165",
      "timestamps": "76 of 76",
      "type_deductions": "22 of 22",
      "wrappers": "36 of 36",
    }
  `);
});
