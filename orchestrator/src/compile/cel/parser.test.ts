import { parse } from "@bufbuild/cel";
import {
  getCheckingSuite,
  getComprehensionSuite,
  getConformanceSuite,
  getParsingSuite,
} from "@bufbuild/cel-spec/testdata/tests.js";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { defaultExpressionLimits } from "./limits.ts";
import { parseExpression } from "./parse.ts";
import { casesOf, limits } from "./testing/conformance.ts";
import { showTree } from "./testing/show.ts";

const cases = [getConformanceSuite(), getParsingSuite(), getCheckingSuite(), getComprehensionSuite()].flatMap((suite) =>
  [...casesOf(suite)].map((one) => one.test),
);

/** The language that the library parses. */
const libraryDialect = { optionalSyntax: false, twoVariables: false, bindings: false, quotedFields: false };

function libraryTree(source: string): ReturnType<typeof parse> | undefined {
  try {
    return parse(source);
  } catch {
    return undefined;
  }
}

function ours(source: string, dialect = libraryDialect): string {
  const parsed = parseExpression(source, limits, dialect);
  return parsed.kind === "wrong" ? `wrong: ${parsed.issue.message}` : showTree(parsed.syntax);
}

/** The tree with the word that each node stands at. */
function withWords(source: string): string {
  const parsed = parseExpression(source, limits);
  if (parsed.kind === "wrong") return parsed.issue.message;
  return showTree(parsed.syntax, (id) => {
    const { offset, length } = parsed.spanAt(id);
    return `‹${source.slice(offset, offset + length)}›`;
  });
}

describe("the tree", () => {
  test("of each expression of the conformance data is the library's, unless cel-go refuses it", () => {
    let same = 0;
    const differing: string[] = [];
    for (const { original, ast } of cases) {
      const theirs = libraryTree(original.expr);
      if (theirs === undefined) continue;
      if (ours(original.expr) === showTree(theirs.expr)) same += 1;
      else if (ast !== undefined) differing.push(original.expr);
    }
    expect(differing).toEqual([]);
    expect(same).toBeGreaterThan(2500);
  });

  test("is had of everything that cel-go parses", () => {
    const refused = cases.filter(({ ast, original }) => ast !== undefined && ours(original.expr).startsWith("wrong"));
    expect(refused.map(({ original }) => original.expr)).toEqual([]);
  });

  test("of random expressions is the library's, however they are spaced", () => {
    const agrees = fc.property(randomExpression, (source) => {
      const theirs = libraryTree(source);
      return theirs === undefined || ours(source) === showTree(theirs.expr);
    });
    expect(fc.check(agrees, { numRuns: 2000 }).counterexample).toBeNull();
  });

  test("is the same for the words of an expression, each in brackets of its own", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("+", "*", "<", "==", "&&", "||", "in", "%"), { maxLength: 12 }),
        (operators) => {
          const source = `a${operators.map((operator, at) => ` ${operator} x${at}`).join("")}`;
          const tree = ours(source);
          expect(ours(bracketed(source))).toBe(tree);
        },
      ),
    );
  });

  test("has each part at its word", () => {
    expect(withWords("a.b.c(1, -2)[i] ? !x : {k: [M.N{f: 'é'}]}")).toBe(
      "_?_:_(_[_]((a‹a›.b)‹b›.c(int64Value(1)‹1›, int64Value(-2)‹-2›)‹c›, i‹i›)‹[›, !_(x‹x›)‹!›, " +
        "{k‹k›: [M.N{f: \"é\"‹'é'›‹f›}‹M.N›]?‹[›‹k›}‹{›)‹?›",
    );
  });
});

const name = fc.constantFrom("a", "b", "input", "inn", "x1", "_");
const literal = fc.constantFrom(
  "1",
  "0x1F",
  "7u",
  "0xAu",
  "1.5",
  ".5",
  "1e3",
  "2.5E-3",
  "true",
  "false",
  "null",
  "''",
  '"a\\n\\u00e9"',
  "b'\\xff'",
  "r'\\d'",
  "'''a\nb'''",
  "'\\101'",
  'b"é"',
  "-1",
  "-0.5",
  "-9223372036854775808",
  "18446744073709551615u",
);
const gap = fc.constantFrom("", " ", "\n\t", " // c\n");

/** Expressions of the library's language, well-formed or nearly so. */
const { expression: randomExpression } = fc.letrec<{ expression: string }>((tie) => {
  const e = tie("expression");
  const form = (...parts: (string | fc.Arbitrary<string>)[]): fc.Arbitrary<string> =>
    fc
      .tuple(...parts.flatMap((part) => [typeof part === "string" ? fc.constant(part) : part, gap]))
      .map((all) => all.join(""));
  const operator = fc.constantFrom("+", "-", "*", "/", "%", "<", "<=", ">", ">=", "==", "!=", "&&", "||", " in ");
  return {
    expression: fc.oneof(
      { depthSize: "medium", withCrossShrink: true },
      name,
      literal,
      form(e, operator, e),
      form("(", e, ")"),
      fc.tuple(fc.constantFrom("!", "!!", "-", "--", "---"), name).map((all) => all.join("")),
      form("-(a +", e, ")"),
      form(e, "?", e, ":", e),
      form("[", e, ",", e, "]"),
      form("[", e, ",", "]"),
      form("{", e, ":", e, "}"),
      form("a.M{f:", e, ",g:", e, "}"),
      form(name, ".", name),
      form(name, "(", e, ",", e, ")"),
      form("(", e, ").", name, "(", e, ")"),
      form(name, "[", e, "]"),
      form("has(", name, ".", name, ")"),
      form(name, ".", fc.constantFrom("all", "exists", "exists_one", "map", "filter"), "(", name, ",", e, ")"),
      form(name, ".map(", name, ",", e, ",", e, ")"),
    ),
  };
});

/** Brackets around operands, as their operators bind. */
function bracketed(source: string): string {
  for (const row of [["||"], ["&&"], ["<", "==", "in"], ["+"], ["*", "%"]]) {
    const words = source.split(" ");
    const at = words.findLastIndex((word) => row.includes(word));
    if (at < 0) continue;
    if (row.length === 1 && (row[0] === "||" || row[0] === "&&")) {
      const terms = source.split(` ${row[0]} `).map(bracketed);
      return terms.map((term) => `(${term})`).join(` ${row[0]} `);
    }
    const [left, right] = [words.slice(0, at).join(" "), words.slice(at + 1).join(" ")];
    return `(${bracketed(left)}) ${words[at]} (${bracketed(right)})`;
  }
  return source;
}

describe("whatever the text is", () => {
  const words = [
    "a",
    "1",
    "'x'",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "?",
    ":",
    ",",
    ".",
    "+",
    "-",
    "!",
    "=",
    "&",
    "|",
    "<",
    ">",
    "in",
    "has",
    "all",
    "map",
    "//",
    "\n",
    "`",
    "`b`",
    "\\",
    '"',
    "'''",
    "r'",
    "u",
    "0x",
    "1.",
    ".?",
    "[?",
    "{?",
    "$",
    "é",
    "😀",
    "\u0000",
    "\ud800",
    "\u00a0",
    "if",
    "not",
    "and",
  ];

  test("a tree comes out, or one issue at a place in it", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: "binary", maxLength: 40 }),
          fc.array(fc.constantFrom(...words), { maxLength: 30 }).map((all) => all.join("")),
        ),
        (source) => {
          const parsed = parseExpression(source, defaultExpressionLimits);
          if (parsed.kind === "parsed") return;
          const { message, offset, length } = parsed.issue;
          expect(message).not.toBe("");
          expect(length).toBeGreaterThanOrEqual(1);
          expect(offset).toBeGreaterThanOrEqual(0);
          expect(offset + length).toBeLessThanOrEqual(Math.max(1, source.length + 1));
        },
      ),
      { numRuns: 5000 },
    );
  });

  test("as deep as the limit allows, nothing overflows", () => {
    const deep = { ...defaultExpressionLimits, sourceBytesMax: 1_000_000, nodesMax: 1_000_000, depthMax: 400 };
    for (const [open, inner, close] of [
      ["(", "1", ")"],
      ["[", "1", "]"],
      ["{1:", "1", "}"],
      ["f(", "1", ")"],
      ["a.f(", "1", ")"],
      ["a[", "1", "]"],
      ["M{f:", "1", "}"],
      ["a?b:(", "c", ")"],
      ["!", "a", ""],
    ] as const) {
      const parsed = parseExpression(`${open.repeat(390)}${inner}${close.repeat(390)}`, deep);
      expect(parsed.kind, open).toBe("parsed");
      const beyond = parseExpression(`${open.repeat(100_000)}${inner}`, deep);
      expect(beyond, open).toMatchObject({ kind: "wrong", issue: { code: "CEL_LIMIT" } });
    }
  });

  test("the number of words looked at grows with the text, not faster", () => {
    const wide = { ...defaultExpressionLimits, sourceBytesMax: 10_000_000, nodesMax: 10_000_000 };
    const row = (part: string, count: number): string => Array.from({ length: count }, () => part).join(" || ");
    for (const part of ["a ? b : c", "a.b.c", "x", "[1, 2, {3: 4}]"]) {
      // 20,000 terms are a second; they would be hours, were every word looked at again for each.
      expect(parseExpression(row(`(${part})`, 20_000), wide).kind, part).toBe("parsed");
    }
  });
});
