import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { watchSilence } from "./silence.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function watched() {
  const told: string[] = [];
  const silence = watchSilence(
    { silentMs: 1_000, answerMs: 500 },
    () => told.push("ask"),
    () => told.push("gone"),
  );
  return { told, silence };
}

test("who says nothing is asked, and is gone when nothing comes of it", () => {
  const { told } = watched();
  vi.advanceTimersByTime(1_999);
  expect(told).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(told).toEqual(["ask"]);
  vi.advanceTimersByTime(500);
  expect(told).toEqual(["ask", "gone"]);
});

test("who talks is not asked, and whatever comes in time is an answer", () => {
  const { told, silence } = watched();
  for (let count = 0; count < 20; count += 1) {
    vi.advanceTimersByTime(900);
    silence.break();
  }
  expect(told).toEqual([]);
  for (let count = 1; count <= 10; count += 1) {
    vi.advanceTimersByTime(2_000);
    expect(told).toHaveLength(count);
    silence.break();
  }
  expect(told).not.toContain("gone");
});

test("once it is stopped nobody is asked or given up", () => {
  const { told, silence } = watched();
  vi.advanceTimersByTime(2_000);
  silence.stop();
  vi.advanceTimersByTime(10_000);
  expect(told).toEqual(["ask"]);
});
