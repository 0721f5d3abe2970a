import { expect, test } from "vitest";
import { openRandomPool } from "./randomPool.ts";

/** Two bytes that never come again, over and over. */
function openCounter() {
  let [draws, next] = [0, 0];
  const draw = (count: number): Uint8Array => {
    draws++;
    const numbers = Uint16Array.from({ length: count / 2 }, () => next++);
    return new Uint8Array(numbers.buffer);
  };
  return { draw, draws: () => draws };
}

test("nothing of a pool is given out twice, and it is drawn many at a time", () => {
  const counter = openCounter();
  const random = openRandomPool(counter.draw);
  const given = new Set<string>();
  for (let index = 0; index < 3_000; index++) given.add(Buffer.from(random(index % 3 === 0 ? 2 : 8)).toString("hex"));
  expect(given.size).toBe(3_000);
  expect(counter.draws()).toBe(5);
  expect(random(5_000)).toHaveLength(5_000);
});
