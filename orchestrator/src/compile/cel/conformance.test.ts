import { readFileSync } from "node:fs";
import { getCheckingSuite, getConformanceSuite } from "@bufbuild/cel-spec/testdata/tests.js";
import { expect, test } from "vitest";
import type { Declarations } from "./declarations.ts";
import { parseExpression } from "./parse.ts";
import {
  casesOf,
  check,
  evaluate,
  isExpected,
  isLacking,
  limits,
  recordedDialect,
  rename,
} from "./testing/conformance.ts";
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
  const parsed = parseExpression(rename(original.expr), limits, recordedDialect);
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
  {
    reason: "a message deep in a list that is formatted is found when it runs",
    cases: 2,
    path: /^string_ext\/format_errors\/object inside/,
  },
  {
    reason: "the type of the type `type` has one more turn in our spelling",
    cases: 2,
    path: /^conversions\/type\/type_(denotation|type)/,
  },
  {
    reason: "a message, or null, stays a message",
    cases: 4,
    path: /legacy_nullable_types\/null_assignable_to_(message|duration|timestamp|abstract)/,
  },
  { reason: "a list of ints and wrapped ints is one of wrapped ints", cases: 1, path: /wrappers\/wrapper_promotion_2/ },
];

/** The same for the tests of cel-go's checker. */
const otherDifferences: typeof knownDifferences = [
  {
    reason: "numbers of different kinds compare, as the specification has it",
    cases: 6,
    path: /^1 (<|<=|>|>=) 1\.0 && /,
  },
  { reason: "the container of the test's registry is longer than the suite's", cases: 1, path: /^test\.TestAllTypes/ },
  { reason: "the suite's group has a field which the registry's has not", cases: 1, path: /nestedgroup\.nested_id/ },
];

/** What differs for none of the reasons, and reasons that cover another number of cases than they say. */
function unexplained(differing: readonly string[], known: typeof knownDifferences): readonly string[] {
  const miscounted = known.flatMap(({ reason, cases, path }) => {
    const found = differing.filter((one) => path.test(one)).length;
    return found === cases ? [] : [`${reason}: ${found} cases`];
  });
  return [...differing.filter((one) => !known.some(({ path }) => path.test(one))), ...miscounted];
}

test("types are those that cel-go derives for the conformance suite, but for known reasons", () => {
  const cases = [...casesOf(getConformanceSuite())];
  const { counts, differing } = tally(cases, new Map(), new Map());
  expect(unexplained(differing, knownDifferences)).toEqual([]);
  expect(counts).toEqual({ "same type": 2064, "same error": 270, "other type": 7, "type of ours": 3 });
  const guide = readFileSync(new URL("../../../../docs/expressions.md", import.meta.url), "utf8");
  expect(guide).toContain(`on ${cases.length - differing.length} of the ${cases.length} tests`);
  for (const { reason, cases: count } of knownDifferences) expect(guide).toContain(`${reason} (${count})`);
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
  expect(unexplained(differing, otherDifferences)).toEqual([]);
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
      "bindings_ext": "5 of 5",
      "comparisons": "385 of 385",
      "conversions": "108 of 108",
      "dynamic": "206 of 206",
      "enums": "39 of 39",
      "fields": "55 of 55",
      "fp_math": "29 of 29",
      "integer_math": "61 of 61",
      "lists": "39 of 39",
      "logic": "21 of 21",
      "macros": "44 of 44",
      "macros2": "46 of 46",
      "namespace": "2 of 2",
      "optionals": "69 of 69",
      "parse": "202 of 202",
      "plumbing": "4 of 4",
      "proto2": "84 of 84",
      "proto3": "69 of 69",
      "string": "51 of 51",
      "string_ext": "165 of 165",
      "timestamps": "76 of 76",
      "type_deductions": "22 of 22",
      "wrappers": "36 of 36",
    }
  `);
});
