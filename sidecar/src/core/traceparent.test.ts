import { expect, test } from "vitest";
import { traceIdOf } from "./traceparent.ts";

const id = "4bf92f3577b34da6a3ce929d0e0e4736";

test.each([
  [`00-${id}-00f067aa0ba902b7-01`, id],
  [`00-${id}-00f067aa0ba902b7-03`, id],
  [`00-${id}-00f067aa0ba902b7-00`, undefined],
  ["00-xyz-1-01", undefined],
  ["", undefined],
])("of the traceparent %j the trace that is kept is %j", (value, expected) => {
  expect(traceIdOf([{ key: "traceparent", value: Buffer.from(value) }])).toBe(expected);
  expect(traceIdOf([{ key: "x-other", value: Buffer.from(value) }])).toBeUndefined();
});
