import { existsSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { repositoryRoot } from "./support/program.ts";
import { architecture } from "./tidy/architecture.ts";
import { brokenArrows, circles, importsOfTests, impurities } from "./tidy/arrows.ts";
import { bannedNames } from "./tidy/names.ts";
import { readTree } from "./tidy/source.ts";
import type { Finding } from "./tidy/source.ts";
import {
  deadLinks,
  defaultBranches,
  longFiles,
  machinePaths,
  sleepsInTests,
  typesGivenUp,
  undocumentedCodes,
  undocumentedExports,
  unfinished,
} from "./tidy/text.ts";

const tree = readTree();
const exists = (file: string): boolean => existsSync(path.join(repositoryRoot, file));

/** The rules of the house. Each finding names the place and the remedy; test/tidy/ has the rules, and a planted breach of each. */
const rules: Readonly<Record<string, () => readonly Finding[]>> = {
  "every import follows an arrow of the architecture": () => brokenArrows(tree, architecture),
  "pure folders hold nothing of Node, nothing async, no clock and no chance": () => impurities(tree, architecture),
  "no imports go in circles": () => circles(tree),
  "nothing imports examples or tests": () => importsOfTests(tree),
  "no name of ours says a banned word": () => bannedNames(tree),
  "no file holds two ideas": () => longFiles(tree),
  "no switch over a union of ours has a default branch": () => defaultBranches(tree),
  "no work is put off and no test is switched off": () => unfinished(tree),
  "no type is given up": () => typesGivenUp(tree),
  "every exported function says what it promises": () => undocumentedExports(tree),
  "no test sleeps": () => sleepsInTests(tree),
  "every link of the docs leads somewhere": () => deadLinks(tree, exists),
  "every error code is in docs/errors.md": () => undocumentedCodes(tree),
  "no file names a path of one machine": () => machinePaths(tree),
};

test.each(Object.entries(rules))("%s", (_, findings) => {
  expect(findings()).toEqual([]);
});

test("all packages carry one version", () => {
  const versions = tree
    .filter(({ path: file }) => /^([\w-]+\/)?package\.json$/.test(file))
    .map(({ path: file, text }) => [file, (JSON.parse(text) as { readonly version?: string }).version]);
  expect(versions.length).toBeGreaterThan(4);
  expect(new Set(versions.map(([, version]) => version)).size, JSON.stringify(versions)).toBe(1);
});
