import { expect, test } from "vitest";
import { simulate } from "./simulate.ts";

const seeds = 17_500;

test(`the engine breaks no rule on ${seeds} random days`, { timeout: 900_000 }, () => {
  const broken: string[] = [];
  const ends = new Set<number>();
  for (let seed = 1; seed <= seeds; seed++) {
    const { violations, ends: ended } = simulate(seed);
    for (const end of ended) ends.add(end);
    if (violations.length > 0) broken.push(`npm run sim -- --tier model --seed ${seed}: ${violations[0] ?? ""}`);
  }
  expect(broken).toEqual([]);
  // Completed, failed, compensated, compensation failed, cancelled and terminated: all ends were met.
  expect([...ends].toSorted((a, b) => a - b)).toEqual([4, 5, 6, 7, 8, 9]);
});

test("a seed is the whole story: twice the same", () => {
  for (let seed = 1; seed <= 200; seed++) expect(simulate(seed).story()).toEqual(simulate(seed).story());
});
