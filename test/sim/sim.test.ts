import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { plantedBugs } from "./plantedBugs.ts";
import { simulate } from "./simulate.ts";

const seeds = 3_000;

test(`${seeds} random days break no rule`, { timeout: 120_000 }, () => {
  const broken: string[] = [];
  const ends = new Set<number>();
  for (let seed = 1; seed <= seeds; seed++) {
    const { violations, ends: ended } = simulate(seed);
    for (const end of ended) ends.add(end);
    if (violations.length > 0) broken.push(`node test/sim/main.ts ${seed} 1: ${violations[0] ?? ""}`);
  }
  expect(broken).toEqual([]);
  // Completed, failed, compensated, compensation failed, cancelled and terminated: all ends were met.
  expect([...ends].toSorted((a, b) => a - b)).toEqual([4, 5, 6, 7, 8, 9]);
});

test("a seed is the whole story: twice the same", () => {
  for (let seed = 1; seed <= 50; seed++) expect(simulate(seed).story()).toEqual(simulate(seed).story());
});

test("every planted bug is found", { timeout: 180_000 }, () => {
  const script = fileURLToPath(new URL("bugs.ts", import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [script], { encoding: "utf8" });
  expect(`${stdout}${stderr}`).not.toContain("ESCAPED");
  expect(status, stderr).toBe(0);
  expect(stdout.split("\n").filter((line) => line.startsWith("found"))).toHaveLength(plantedBugs.length);
});
