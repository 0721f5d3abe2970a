import { expect, test } from "vitest";
import { neverEmpty, settled, tellEmpty } from "./emptiness.ts";

test("a heartbeat counts once what it has overtaken has arrived, and the next one does not put it off", () => {
  const told = tellEmpty(neverEmpty, 7, 1_000);
  expect(settled(told, 1_100).sequence).toBeUndefined();
  const again = tellEmpty(told, 9, 1_200);
  expect(settled(again, 1_250).sequence).toBe(7);
});

test("heartbeats that follow each other raise what is known", () => {
  const first = tellEmpty(neverEmpty, 7, 1_000);
  const second = tellEmpty(first, 9, 1_250);
  expect([second.sequence, settled(second, 1_500).sequence]).toEqual([7, 9]);
});
