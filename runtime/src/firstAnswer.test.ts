import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { firstAnswer } from "./firstAnswer.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const how = { timeoutMs: 5_000, everyMs: 500, mayWait: () => true };

test("the first answer counts, and nobody asks any more", async () => {
  let asked = 0;
  const answer = firstAnswer(() => {
    asked += 1;
    return asked === 3 ? Promise.resolve("third") : Promise.withResolvers<string>().promise;
  }, how);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await answer).toBe("third");
  await vi.advanceTimersByTimeAsync(5_000);
  expect([asked, vi.getTimerCount()]).toEqual([3, 0]);
});

test("it is over in time where each is refused at once, however late a busy process comes to ask", async () => {
  for (let lateMs = 0; lateMs <= 600; lateMs += 20) {
    const clock = vi.spyOn(performance, "now");
    const startedMs = Date.now() - performance.now();
    let asked = 0;
    let isOver = false;
    const ends = firstAnswer(() => {
      asked += 1;
      // It has done something else before it looked at its timers again.
      if (asked === 2) clock.mockImplementation(() => Date.now() - startedMs + lateMs);
      return Promise.reject(new Error("nobody leads"));
    }, how).catch(() => (isOver = true));
    await vi.advanceTimersByTimeAsync(6_000);
    expect([lateMs, isOver, vi.getTimerCount()]).toEqual([lateMs, true, 0]);
    await ends;
    clock.mockRestore();
  }
});
