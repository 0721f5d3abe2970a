import { once } from "node:events";
import { expect, test } from "vitest";
import { openDeadlines } from "./deadlines.ts";

test("what is begun soon after one another has one deadline, what comes later another", () => {
  let nowMs = 5_000;
  const deadline = openDeadlines(10_000, new AbortController().signal, () => nowMs);
  const first = deadline();
  nowMs += 499;
  expect(deadline()).toBe(first);
  nowMs += 1;
  const second = deadline();
  expect(second).not.toBe(first);
  // A clock that was put back gives nobody more time.
  nowMs -= 600;
  expect(deadline()).not.toBe(second);
});

test("a deadline aborts when its time is up, and with what it belongs to", async () => {
  const over = new AbortController();
  const late = openDeadlines(10, over.signal, Date.now)();
  await once(late, "abort");
  expect(over.signal.aborted).toBe(false);
  const pending = openDeadlines(600_000, over.signal, Date.now)();
  over.abort();
  expect(pending.aborted).toBe(true);
});
