import { expect, test } from "vitest";
import { collide, coverOf, covers } from "./subjects.ts";

test("a pattern covers what stands for no more than it does", () => {
  const rows: readonly (readonly [string, string, boolean])[] = [
    ["a.b", "a.b", true],
    ["a.*", "a.b", true],
    ["a.>", "a.b.c", true],
    ["a.>", "a.*.c", true],
    ["a.>", "a.>", true],
    ["a.*", "a.*", true],
    ["a.>", "a", false],
    ["a.*", "a.>", false],
    ["a.b", "a.*", false],
    ["a.*", "a.b.c", false],
    ["a.*.c", "a.b.d", false],
  ];
  for (const [outer, inner, is] of rows) expect([outer, inner, covers(outer, inner)]).toEqual([outer, inner, is]);
});

test("patterns collide where one subject fits both", () => {
  const rows: readonly (readonly [string, string, boolean])[] = [
    ["a.*", "*.b", true],
    ["a.>", "a.b.c", true],
    ["a.>", "*.x", true],
    ["a.b", "a.c", false],
    ["a.*", "a.b.c", false],
    ["a.>", "a", false],
    ["a.*.c", "a.b.*", true],
  ];
  for (const [a, b, is] of rows) expect([a, b, collide(a, b), collide(b, a)]).toEqual([a, b, is, is]);
});

test("the subjects of a stream cover all patterns, and none collides with another", () => {
  expect(coverOf([])).toEqual([]);
  expect(coverOf(["b.c", "a.b", "a.b"])).toEqual(["a.b", "b.c"]);
  expect(coverOf(["a.b", "a.*", "a.c.d"])).toEqual(["a.*", "a.c.d"]);
  expect(coverOf(["a.b.*", "a.*.c"])).toEqual(["a.*.*"]);
  expect(coverOf(["a.b", "a.c", "a.*.x", "a.b.*", "a.>"])).toEqual(["a.>"]);
  // What the first two are joined to takes in the third.
  expect(coverOf(["a.b.*", "a.d.e", "a.*.c"])).toEqual(["a.*.*"]);
});
