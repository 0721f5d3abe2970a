import { expect, test } from "vitest";
import { keepRunning } from "./kept.ts";

const keeper = { guard: () => undefined, release: () => undefined, [Symbol.dispose]: () => undefined };

test("who ends is started again after pauses that grow, and at once when what it stands on is another one", async () => {
  const pauses: number[] = [];
  const lines: (readonly string[])[] = [];
  let stand = "nothing";
  let isLast = Promise.withResolvers<void>();
  await using _kept = keepRunning({
    command: "echo no such module; exit 1",
    args: [],
    isShell: true,
    cwd: ".",
    env: process.env,
    keeper,
    onLine: () => undefined,
    fell: (_, againMs, last) => {
      pauses.push(againMs);
      lines.push(last);
      // The second time only: what came with a change of its own is no reason to hurry again.
      if (pauses.length === 2) stand = "packages";
      if (pauses.length === 4) isLast.resolve();
    },
    standsOn: () => stand,
    graceMs: 1_000,
  });
  await isLast.promise;
  expect(pauses).toEqual([250, 500, 250, 500]);
  expect(lines[0]).toEqual(["no such module"]);
});
