import { expect, test } from "vitest";
import { TraceSpan_Kind as Kind } from "../../../proto/gen/sidestep/v1/traces.ts";
import type { TraceSpan } from "../../../proto/gen/sidestep/v1/traces.ts";
import { openTraceStore } from "./traceStore.ts";

function span(spanId: string, startMs = 0): TraceSpan {
  const startedAt = { seconds: 0n, nanos: startMs * 1e6 };
  const rest = { parentSpanId: "", name: spanId, service: "s", kind: Kind.SERVER, failed: false, message: "" };
  return { spanId, startedAt, endedAt: startedAt, attributes: {}, events: [], ...rest };
}

test("spans are in the order in which they began; one that comes again takes the place of the one before", () => {
  const store = openTraceStore(10);
  store.add([
    { traceId: "t", span: span("b", 20) },
    { traceId: "t", span: span("a", 10) },
  ]);
  store.add([{ traceId: "t", span: { ...span("b", 20), failed: true } }]);
  expect(store.get("t")?.spans.map(({ spanId, failed }) => [spanId, failed])).toEqual([
    ["a", false],
    ["b", true],
  ]);
});

test("the trace to which nothing came for the longest time makes room", () => {
  const store = openTraceStore(2);
  for (const traceId of ["one", "two", "one", "three"]) store.add([{ traceId, span: span(traceId) }]);
  expect(store.newest(5).map(({ traceId }) => traceId)).toEqual(["three", "one"]);
  expect(store.newest(1).map(({ traceId }) => traceId)).toEqual(["three"]);
  expect(store.get("two")).toBeUndefined();
});

test("of one trace so many spans are kept, and the rest is counted", () => {
  const store = openTraceStore(2);
  store.add(Array.from({ length: 5_003 }, (_, at) => ({ traceId: "t", span: span(String(at)) })));
  store.add([{ traceId: "t", span: span("0") }]);
  expect(store.get("t")).toMatchObject({ leftOut: 3 });
  expect(store.get("t")?.spans).toHaveLength(5_000);
});
