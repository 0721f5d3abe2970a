import { expect, test } from "vitest";
import { farPage, farPlace } from "./far.ts";

const list = { loaded: 1_000, soon: 1_000, total: 100_000 };

test("what is loaded, or next to it, is not read apart", () => {
  expect(farPlace({ first: 900, last: 940 }, list, undefined)).toBeUndefined();
  expect(farPlace({ first: 1_990, last: 2_030 }, list, 50_000)).toBeUndefined();
});

test("after a jump the rows around the view are read, and no others while one moves among them", () => {
  const place = farPlace({ first: 50_010, last: 50_050 }, list, undefined);
  expect(place).toBe(49_850);
  expect(farPlace({ first: 50_100, last: 50_140 }, list, place)).toBe(place);
  expect(farPlace({ first: 50_300, last: 50_340 }, list, place)).toBe(50_150);
  expect(farPlace({ first: 49_870, last: 49_910 }, list, place)).toBe(49_700);
});

test("the end of the list is within one reading", () => {
  const view = { first: 99_960, last: 100_000 };
  const place = farPlace(view, list, undefined) ?? 0;
  expect(place + farPage).toBeGreaterThanOrEqual(list.total);
  expect(farPlace(view, list, place)).toBe(place);
});
