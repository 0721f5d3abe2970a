import { expect, test } from "vitest";
import { renderTree } from "./tree.ts";
import type { TreeSpan } from "./tree.ts";

function makeSpan(
  spanId: string,
  parentSpanId: string | undefined,
  startMs: number,
  more: Partial<TreeSpan> = {},
): TreeSpan {
  const span = { spanId, parentSpanId, name: spanId, kind: "internal", startMs, endMs: startMs + 10, service: "s" };
  return { ...span, error: undefined, notes: [], ...more };
}

test("children stand below their parents by their starts, whatever the order of arrival", () => {
  const spans = [
    makeSpan("c", "a", 1030, { error: "UNAVAILABLE", notes: ["attempt 2"] }),
    makeSpan("d", "b", 1011),
    makeSpan("b", "a", 1010),
    makeSpan("a", undefined, 1000, { endMs: 1050 }),
  ];
  expect(renderTree(spans)).toEqual([
    "a  s  internal  0 ms +50 ms",
    "├─ b  s  internal  10 ms +10 ms",
    "│  └─ d  s  internal  11 ms +10 ms",
    "└─ c  s  internal  30 ms +10 ms  [attempt 2]  ✗ UNAVAILABLE",
  ]);
});

test("a span whose parent is elsewhere stands at the top, one that came twice is shown once", () => {
  expect(renderTree([makeSpan("b", "elsewhere", 5), makeSpan("b", "elsewhere", 5)])).toEqual([
    "b  s  internal  0 ms +10 ms",
  ]);
});

test("spans that name each other as parents are shown all the same", () => {
  expect(renderTree([makeSpan("a", "b", 0), makeSpan("b", "a", 1)])).toHaveLength(2);
});

test("nothing is shown of nothing", () => {
  expect(renderTree([])).toEqual([]);
});
