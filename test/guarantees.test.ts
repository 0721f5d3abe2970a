import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { repositoryRoot } from "./support/program.ts";

const page = readFileSync(path.join(repositoryRoot, "docs/guarantees.md"), "utf8");
const guarantees = [...page.matchAll(/^\*\*(\d+)\. [\s\S]*?(?=^\*\*\d+\. |^## |$(?![\s\S]))/gm)].map(
  ([text, number]) => ({
    number: Number(number),
    text,
  }),
);

test("guarantees count from 1", () => {
  expect(guarantees.length).toBeGreaterThan(10);
  expect(guarantees.map(({ number }) => number)).toEqual(guarantees.map((_, index) => index + 1));
});

test.each(guarantees)("guarantee $number is enforced by tests that exist", ({ text }) => {
  const enforcers = [...text.matchAll(/\[([^\]]+)\]\(\.\.\/[^)]+\)(?: "([^"]+)")?/g)];
  expect(enforcers).not.toEqual([]);

  const missing = enforcers.filter(([, file = "", name = ""]) => {
    const absolute = path.join(repositoryRoot, file);
    return !existsSync(absolute) || !readFileSync(absolute, "utf8").includes(name);
  });

  expect(missing.map(([found]) => found)).toEqual([]);
});
