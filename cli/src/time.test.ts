import { expect, test } from "vitest";
import { durationText, parseDuration, timeText } from "./time.ts";

test.each([
  [0.4, "0 ms"],
  [999, "999 ms"],
  [1_000, "1.0 s"],
  [59_900, "59.9 s"],
  [61_000, "1 m 1 s"],
  [3_600_000, "1 h 0 m"],
  [90_000_000, "1 d 1 h"],
])("%d ms reads %s", (ms, text) => {
  expect(durationText(ms)).toBe(text);
});

test.each([
  ["500ms", 500],
  ["1.5s", 1_500],
  ["5m", 300_000],
  ["7d", 604_800_000],
  ["5", undefined],
  ["soon", undefined],
])("the duration %s is %s ms", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test("times are written in UTC, and an unset one is empty", () => {
  expect(timeText({ seconds: 1n, nanos: 5_000_000 })).toBe("1970-01-01T00:00:01.005Z");
  expect(timeText(undefined)).toBe("");
});
