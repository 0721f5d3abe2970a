import { expect, test } from "vitest";
import { Deadlines } from "./deadlines.ts";

test("each expires once, in the order of their times, and what is over by then does not", async () => {
  using deadlines = new Deadlines();
  const expired: string[] = [];
  const { promise: last, resolve } = Promise.withResolvers<void>();
  const timed = (name: string) => ({
    expire: () => {
      expired.push(name);
      if (name === "last") resolve();
    },
  });
  deadlines.add(timed("last"), 60);
  deadlines.add(timed("second"), 20);
  const over = deadlines.add(timed("over"), 15);
  deadlines.add(timed("first"), 10);
  deadlines.over(over);
  deadlines.over(over);
  await last;
  expect(expired).toEqual(["first", "second", "last"]);
});

test("a deadline comes no sooner than it is due, whatever else there was", async () => {
  using deadlines = new Deadlines();
  const startedMs = performance.now();
  for (let count = 0; count < 10_000; count += 1)
    deadlines.over(deadlines.add({ expire: () => expect.unreachable() }, count % 2 === 0 ? 30_000 : 5));
  const { promise, resolve } = Promise.withResolvers<void>();
  deadlines.add({ expire: resolve }, 40);
  await promise;
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(40);
});
