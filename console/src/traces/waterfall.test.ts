import { expect, test } from "vitest";
import type { TraceSpan } from "../api/trace.ts";
import { waterfall } from "./waterfall.ts";

function span(spanId: string, parentSpanId: string, startedAt: number, endedAt: number, service = "a"): TraceSpan {
  const rest = { kind: "INTERNAL", failed: false, message: "", attributes: {}, events: [] } as const;
  return { spanId, parentSpanId, name: spanId, service, startedAt, endedAt, ...rest };
}

test("spans stand below the one they are inside of, by their start, over the time of them all", () => {
  const { rows, tookMs, services } = waterfall([
    span("late", "root", 60, 100, "b"),
    span("root", "", 0, 200),
    span("early", "root", 20, 40, "c"),
    span("deep", "early", 20, 30),
  ]);
  expect(tookMs).toBe(200);
  expect(rows.map((row) => [row.span.spanId, row.depth, row.start, row.width])).toEqual([
    ["root", 0, 0, 1],
    ["early", 1, 0.1, 0.1],
    ["deep", 2, 0.1, 0.05],
    ["late", 1, 0.3, 0.2],
  ]);
  expect(services).toEqual(["a", "c", "b"]);
});

test("a span whose parent has not come, and spans inside of each other, are drawn all the same", () => {
  const { rows } = waterfall([span("orphan", "gone", 5, 6), span("one", "two", 0, 1), span("two", "one", 0, 1)]);
  expect(rows.map((row) => [row.span.spanId, row.depth])).toEqual([
    ["orphan", 0],
    ["one", 0],
    ["two", 1],
  ]);
});

test("nothing and a moment have a width", () => {
  expect(waterfall([]).rows).toEqual([]);
  expect(waterfall([span("one", "", 7, 7)]).rows).toEqual([
    { span: span("one", "", 7, 7), depth: 0, start: 0, width: 0 },
  ]);
});
