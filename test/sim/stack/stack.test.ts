import { expect, test } from "vitest";
import { simulate } from "./simulate.ts";

const seeds = 2_500;

test(`the whole stack breaks no rule on ${seeds} random days`, { timeout: 900_000 }, async () => {
  const broken: string[] = [];
  const ends = new Set<number>();
  for (let seed = 1; seed <= seeds; seed++) {
    const { violations, ends: ended } = await simulate(seed);
    for (const end of ended) ends.add(end);
    if (violations.length > 0) broken.push(`npm run sim -- --tier stack --seed ${seed}: ${violations[0] ?? ""}`);
  }
  expect(broken).toEqual([]);
  expect([...ends].toSorted((a, b) => a - b)).toEqual([4, 5, 6, 7, 8, 9]);
});

test("200 seeds run twice leave the same bytes", { timeout: 900_000 }, async () => {
  for (let seed = 1; seed <= 200; seed++) {
    const { digest } = await simulate(seed);
    expect((await simulate(seed)).digest, `seed ${seed}`).toBe(digest);
  }
});
