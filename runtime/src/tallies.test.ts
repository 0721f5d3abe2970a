import { expect, test } from "vitest";
import { boundedLabel } from "./boundedLabel.ts";
import { openMetricsText } from "./openMetricsText.ts";
import { openHistogram } from "./tallies.ts";

test("each bucket of a histogram counts what is below it, and has the trace of the latest that fell into it", () => {
  const histogram = openHistogram("a_call_seconds", "Calls.", [0.5, 5], () => 1_500);
  expect(histogram.text(true)).toBe("");
  histogram.record(0.3, { rpc_method: 'a"b' }, "aa");
  const ofA = histogram.of({ rpc_method: 'a"b' });
  ofA(0.5, "bb");
  ofA(7, "cc");
  histogram.record(1, { rpc_method: "c" });
  expect(histogram.text(true)).toBe(`# HELP a_call_seconds Calls.
# TYPE a_call_seconds histogram
a_call_seconds_bucket{rpc_method="a\\"b",le="0.5"} 2 # {trace_id="bb"} 0.5 1.5
a_call_seconds_bucket{rpc_method="a\\"b",le="5"} 2
a_call_seconds_bucket{rpc_method="a\\"b",le="+Inf"} 3 # {trace_id="cc"} 7 1.5
a_call_seconds_sum{rpc_method="a\\"b"} 7.8
a_call_seconds_count{rpc_method="a\\"b"} 3
a_call_seconds_bucket{rpc_method="c",le="0.5"} 0
a_call_seconds_bucket{rpc_method="c",le="5"} 1
a_call_seconds_bucket{rpc_method="c",le="+Inf"} 1
a_call_seconds_sum{rpc_method="c"} 1
a_call_seconds_count{rpc_method="c"} 1
`);
  expect(histogram.text(false)).not.toContain("trace_id");
});

test("in OpenMetrics counters are described without their suffix", () => {
  const text = '# HELP a_things_total Things.\n# TYPE a_things_total counter\na_things_total{kind="x"} 2\n';
  expect(openMetricsText(text)).toBe(
    '# HELP a_things Things.\n# TYPE a_things counter\na_things_total{kind="x"} 2\n# EOF\n',
  );
});

test("beyond its bound a label has one value for all further ones", () => {
  const bounded = boundedLabel(2);
  expect(["a", "b", "c", "a", "d"].map(bounded)).toEqual(["a", "b", "other", "a", "other"]);
});
