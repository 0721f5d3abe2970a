import { expect, test } from "vitest";
import { openGate } from "./gate.ts";

test("so many are inside at a time, the others follow in order, and one that fails makes room too", async () => {
  const through = openGate(2);
  const begun: number[] = [];
  const ends = [0, 1, 2, 3].map(() => Promise.withResolvers<number>());
  const all = ends.map(({ promise }, index) =>
    through(() => {
      begun.push(index);
      return promise;
    }).catch((error: unknown) => error),
  );
  expect(begun).toEqual([0, 1]);
  ends[1]?.reject("failed");
  expect(await all[1]).toBe("failed");
  await new Promise(setImmediate);
  expect(begun).toEqual([0, 1, 2]);
  ends[0]?.resolve(0);
  ends[2]?.resolve(2);
  ends[3]?.resolve(3);
  expect(await Promise.all(all)).toEqual([0, "failed", 2, 3]);
  expect(begun).toEqual([0, 1, 2, 3]);
});
