import { expect, test, vi } from "vitest";
import { openPortions } from "./portions.ts";

test("what is in no hurry is begun in its order, so much in each turn of the event loop", async () => {
  vi.useFakeTimers();
  try {
    const portions = openPortions(3, 10);
    const begun: number[] = [];
    for (let i = 0; i < 7; i++)
      portions.add(() => {
        begun.push(i);
        return undefined;
      });
    expect(begun).toEqual([0, 1, 2]);
    await vi.advanceTimersToNextTimerAsync();
    expect(begun).toEqual([0, 1, 2, 3, 4, 5]);
    await vi.advanceTimersToNextTimerAsync();
    expect(begun).toEqual([0, 1, 2, 3, 4, 5, 6]);
    await vi.advanceTimersToNextTimerAsync();
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

test("no more is under way at a time than is allowed, and each end lets the next begin", async () => {
  const portions = openPortions(10, 2);
  const ends: (() => void)[] = [];
  let begun = 0;
  for (let i = 0; i < 4; i++)
    portions.add(() => {
      begun++;
      return new Promise<void>((resolve) => void ends.push(resolve));
    });
  expect(begun).toBe(2);
  ends[0]?.();
  await Promise.resolve();
  await Promise.resolve();
  expect(begun).toBe(3);
});
