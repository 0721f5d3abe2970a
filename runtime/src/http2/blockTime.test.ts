import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { boundBlocks } from "./blockTime.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("each block has its time, which what comes of it does not prolong; one that is whole has used none of the next one's", () => {
  let late = 0;
  const blocks = boundBlocks(1_000, () => (late += 1));
  for (const [openBlock, afterMs] of [
    [1, 0],
    [1, 900],
    [0, 99],
    [0, 5_000],
    [2, 0],
    [3, 999],
    [3, 999],
  ] as const) {
    vi.advanceTimersByTime(afterMs);
    blocks.look(openBlock);
    expect(late).toBe(0);
  }
  vi.advanceTimersByTime(1);
  expect(late).toBe(1);
  blocks.look(4);
  blocks.stop();
  vi.advanceTimersByTime(5_000);
  expect(late).toBe(1);
});
