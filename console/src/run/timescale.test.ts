import { expect, test } from "vitest";
import { timescale } from "./timescale.ts";

const day = 86_400_000;

test("a day without an event is folded, and what happened before and after has nearly all of the width", () => {
  const scale = timescale([100, 200, 300, day + 300, day + 400], 0, day + 500, true);
  expect(scale.stretches.map(({ isFolded }) => isFolded)).toEqual([false, true, false]);
  expect(scale.place(300)).toBeCloseTo(0.564, 2);
  expect(scale.place(day + 300) - scale.place(300)).toBeCloseTo(0.06);
  expect(scale.place(day + 500)).toBe(1);
});

test("unfolded, time is as long as it was", () => {
  const scale = timescale([250], 0, 1000, false);
  expect([0, 250, 500, 1000].map(scale.place)).toEqual([0, 0.25, 0.5, 1]);
});

test("short times are never folded, however few events there are", () => {
  expect(timescale([10, 1900], 0, 2000, true).stretches).toHaveLength(1);
});

test("places never go back, and what lies outside is at the edge", () => {
  const points = [5, 5000, 5010, 90_000, 90_001, 4 * day, 5 * day];
  const scale = timescale(points, 0, 9 * day, true);
  const places = [-5, 0, ...points, 9 * day, 10 * day].map(scale.place);
  expect(places).toEqual(places.toSorted((a, b) => a - b));
  expect(places[0]).toBe(0);
  expect(places.at(-1)).toBe(1);
});

test("a run of no length has a scale too", () => {
  expect(timescale([], 7, 7, true).place(7)).toBe(0);
});
