import { expect, test } from "vitest";
import { difference } from "./difference.ts";

const shown = (before: string, after: string): string =>
  difference(before.split(""), after.split(""))
    .map(({ kind, text }) => ({ same: " ", gone: "-", new: "+" })[kind] + text)
    .join("");

test("what both have stays, what one has alone is marked", () => {
  expect(shown("abcd", "abxd")).toBe(" a b-c+x d");
  expect(shown("abc", "abc")).toBe(" a b c");
  expect(shown("", "ab")).toBe("+a+b");
  expect(shown("ab", "")).toBe("-a-b");
  expect(shown("abcabba", "cbabac")).toHaveLength(18);
});
