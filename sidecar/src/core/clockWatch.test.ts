import { expect, test } from "vitest";
import { ClockWatch } from "./clockWatch.ts";

/** What is told of messages that come at these times, so late, one after the other. */
function toldOf(
  late: readonly (readonly [receivedAtMs: number, lateMs: number])[],
  age: "fresh" | "unknown" = "fresh",
) {
  const watch = new ClockWatch();
  return late.map(([receivedAtMs, lateMs]) => watch.take(age, receivedAtMs - lateMs, receivedAtMs));
}

test("a clock that runs behind is told by one message, and once", () => {
  expect(
    toldOf([
      [10_000, 5],
      [10_010, -2_000],
      [10_020, -2_000],
    ]),
  ).toEqual([undefined, -2_000, undefined]);
});

test("a clock that runs ahead is told once every new message has come late for 5 s, by the one that was late by least", () => {
  const late = [
    [10_000, 4_000],
    [12_000, 3_000],
    [14_999, 5_000],
    [15_000, 4_000],
  ] as const;
  expect(toldOf(late)).toEqual([undefined, undefined, undefined, 3_000]);
  expect(toldOf(late, "unknown")).toEqual([undefined, undefined, undefined, undefined]);
});

test("what waited for an election says nothing of the clocks", () => {
  const after = [
    [10_000, 6_000],
    [10_100, 5_900],
    [10_200, 3],
    [16_000, 2],
    [40_000, 6_000],
    [40_001, 6_000],
  ] as const;
  expect(toldOf(after).filter((told) => told !== undefined)).toEqual([]);
});

test("it says nothing once it is stopped", () => {
  const watch = new ClockWatch();
  watch.stop();
  expect(watch.take("fresh", 20_000, 10_000)).toBeUndefined();
});
