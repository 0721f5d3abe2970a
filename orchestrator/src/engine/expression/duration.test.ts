import { expect, test } from "vitest";
import { parseDuration } from "./duration.ts";

test.each([
  ["0", 0n],
  ["300ms", 300_000_000n],
  ["1.5h", 5_400_000_000_000n],
  ["2h45m", 9_900_000_000_000n],
  ["7d", 604_800_000_000_000n],
  ["-1d12h", -129_600_000_000_000n],
  ["+.5s", 500_000_000n],
  ["1µs1us1ns", 2_001n],
  ["9223372036854775807ns", 9_223_372_036_854_775_807n],
])("%s is a duration", (text, nanos) => {
  expect(parseDuration(text)).toBe(nanos);
});

test.each(["", "-", "1", "s", "1x", "1 s", "1.s.", ".s", "1e3s", "9223372036854775808ns", "1s".repeat(65)])(
  "'%s' is none",
  (text) => {
    expect(() => parseDuration(text)).toThrow(/is no duration|longer than 292 years/);
  },
);
