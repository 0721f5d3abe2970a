import { getCheckingSuite, getConformanceSuite } from "@bufbuild/cel-spec/testdata/tests.js";
import { expect, test } from "vitest";
import type { Declarations } from "./declarations.ts";
import { parseExpression } from "./parse.ts";
import { casesOf, check, evaluate, isExpected, isLacking, limits, rename } from "./testing/conformance.ts";
import type { Case } from "./testing/conformance.ts";
import * as types from "./type.ts";
import type { CelType } from "./type.ts";
import { resolve } from "./unify.ts";

function sameType(ours: string, theirs: string): boolean {
  const plain = theirs
    .replace(/google\.protobuf\.(Timestamp|Duration|Any)/g, (_, name: string) => name.toLowerCase())
    .replace(/null_type/g, "null");
  return ours === plain;
}

type Verdict = "same type" | "same error" | "error of ours" | "type of ours" | "other type" | "unparsed";

function compareTypes(
  one: Case,
  extra: Declarations,
  builtIn: ReadonlyMap<string, CelType>,
): { verdict: Verdict; detail: string } {
  const { original, type, error } = one.test;
  const parsed = parseExpression(rename(original.expr), limits);
  if (parsed.kind === "wrong")
    return { verdict: error === undefined ? "unparsed" : "same error", detail: parsed.issue.message };
  const { typed, checking } = check(parsed, one.test, extra, builtIn);
  const issue = checking.issues[0];
  if (issue !== undefined)
    return { verdict: error === undefined ? "error of ours" : "same error", detail: issue.message };
  const shown = types.showType(resolve(checking.substitution, typed.type));
  if (error !== undefined) return { verdict: "type of ours", detail: `${shown} | ${error.split("\n")[0] ?? ""}` };
  return {
    verdict: sameType(shown, rename(type ?? "")) ? "same type" : "other type",
    detail: `${shown} | ${type ?? ""}`,
  };
}

function tally(
  cases: readonly Case[],
  extra: Declarations,
  builtIn: ReadonlyMap<string, CelType>,
): { counts: Record<string, number>; differing: string[] } {
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
  {
    reason: "the type of the type `type` has one more turn in our spelling",
    cases: 2,
    path: /^conversions\/type\/type_(denotation|type)/,
  },
  {
    reason: "a constant out of range is refused already here",
    cases: 2,
    path: /^dynamic\/uint32\/field_assign_proto[23]_range/,
  },
  { reason: "optional values are not supported", cases: 6, path: /optional|null_assignable_to_abstract/ },
  {
    reason: "a message or null stays a message",
    cases: 3,
    path: /legacy_nullable_types\/null_assignable_to_(message|duration|timestamp)/,
  },
  { reason: "a list of ints and wrapped ints is one of wrapped ints", cases: 1, path: /wrappers\/wrapper_promotion_2/ },
  {
    reason: "numbers of different kinds compare, as the specification has it",
    cases: 6,
    path: /^1 (<|<=|>|>=) 1\.0 && /,
  },
  { reason: "the container of the test's registry is longer than the suite's", cases: 1, path: /^test\.TestAllTypes/ },
  { reason: "the suite's group has a field which the registry's has not", cases: 1, path: /nestedgroup\.nested_id/ },
];

function explain(differing: readonly string[]): {
  readonly unexplained: readonly string[];
  readonly explained: number;
} {
  const unexplained = differing.filter((path) => !knownDifferences.some((known) => known.path.test(path)));
  return { unexplained, explained: differing.length - unexplained.length };
}

test("types are those that cel-go derives for the conformance suite", () => {
  const cases = [...casesOf(getConformanceSuite())].filter((one) => !isLacking(one));
  const { counts, differing } = tally(cases, new Map(), new Map());
  expect(explain(differing)).toEqual({ unexplained: [], explained: 32 });
  expect(counts).toEqual({
    "same type": 1754,
    "same error": 133,
    "other type": 6,
    "error of ours": 8,
    "type of ours": 18,
  });
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
  expect(other).toEqual([]);
  expect(reached).toMatchInlineSnapshot(`
    {
      "basic": "39 of 39",
      "comparisons": "385 of 385",
      "conversions": "108 of 108",
      "dynamic": "204 of 204",
      "enums": "39 of 39",
      "fields": "49 of 49",
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
