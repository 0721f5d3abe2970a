import { expect, test } from "vitest";
import { openLogClock } from "./logClock.ts";

function makeClock() {
  let nowMs = 1_000_000;
  const told: number[] = [];
  const clock = openLogClock(
    () => nowMs,
    (offsetMs) => void told.push(offsetMs),
  );
  /** Messages that take 20 ms, stored by a clock that is `ahead` of ours, for 11 s. */
  const pass = (ahead: number): void => {
    for (let i = 0; i < 11; i++) {
      nowMs += 1000;
      clock.observe(nowMs + ahead - 20);
    }
  };
  return { clock, told, pass, now: () => nowMs };
}

test("clocks that agree but for the time a message takes are left alone", () => {
  const { clock, told, pass, now } = makeClock();
  pass(0);
  expect(clock.now()).toBe(now());
  expect(told).toEqual([]);
});

test("a clock that is ahead is followed and told once, and told again when it is set right", () => {
  const { clock, told, pass, now } = makeClock();
  pass(5000);
  pass(5000);
  expect(clock.now()).toBe(now() + 4980);
  pass(0);
  pass(0);
  expect(clock.offsetMs()).toBe(0);
  expect(told).toEqual([4980, 0]);
});

test("a clock that is behind is followed after a while", () => {
  const { clock, pass, now } = makeClock();
  pass(-3000);
  expect(clock.now()).toBe(now() - 3020);
});
