import { expect, test } from "vitest";
import { boundedLabel } from "./boundedLabel.ts";
import { openExemplars } from "./exemplars.ts";
import { openMetricsText } from "./openMetricsText.ts";

const text = `# HELP a_things_total Things.
# TYPE a_things_total counter
a_things_total{kind="x",otel_scope_name="sidestep"} 2
# HELP a_call_seconds Calls.
# TYPE a_call_seconds histogram
a_call_seconds_count{rpc_method="a\\"b",otel_scope_name="sidestep"} 2
a_call_seconds_sum{rpc_method="a\\"b",otel_scope_name="sidestep"} 7.2
a_call_seconds_bucket{rpc_method="a\\"b",otel_scope_name="sidestep",le="0.5"} 1
a_call_seconds_bucket{rpc_method="a\\"b",otel_scope_name="sidestep",le="5"} 1
a_call_seconds_bucket{rpc_method="a\\"b",otel_scope_name="sidestep",le="+Inf"} 2
`;

test("in OpenMetrics counters are described without their suffix, and each bucket has the trace of the latest that fell into it", () => {
  const exemplars = openExemplars();
  const of = (value: number, traceId: string): void =>
    exemplars.note("a_call_seconds", { rpc_method: 'a"b' }, [0.5, 5], { traceId, value, atMs: 1_500 });
  of(0.3, "aa");
  of(0.2, "bb");
  of(7, "cc");
  exemplars.note("a_call_seconds", { rpc_method: "another" }, [0.5, 5], { traceId: "dd", value: 1, atMs: 1 });
  expect(openMetricsText(text, exemplars.find)).toBe(`# HELP a_things Things.
# TYPE a_things counter
a_things_total{kind="x",otel_scope_name="sidestep"} 2
# HELP a_call_seconds Calls.
# TYPE a_call_seconds histogram
a_call_seconds_count{rpc_method="a\\"b",otel_scope_name="sidestep"} 2
a_call_seconds_sum{rpc_method="a\\"b",otel_scope_name="sidestep"} 7.2
a_call_seconds_bucket{rpc_method="a\\"b",otel_scope_name="sidestep",le="0.5"} 1 # {trace_id="bb"} 0.2 1.5
a_call_seconds_bucket{rpc_method="a\\"b",otel_scope_name="sidestep",le="5"} 1
a_call_seconds_bucket{rpc_method="a\\"b",otel_scope_name="sidestep",le="+Inf"} 2 # {trace_id="cc"} 7 1.5
# EOF
`);
});

test("beyond its bound a label has one value for all further ones", () => {
  const bounded = boundedLabel(2);
  expect(["a", "b", "c", "a", "d"].map(bounded)).toEqual(["a", "b", "other", "a", "other"]);
});
