import { mkdtemp, mkdir, rm, utimes, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { installedIn, lacksPackages } from "./packages.ts";

let project = "";
beforeEach(async () => {
  project = await mkdtemp(path.join(os.tmpdir(), "sidestep-packages-"));
});
afterEach(() => rm(project, { recursive: true, force: true }));

const missing = ["node:internal/modules/cjs/loader:1", "Error: Cannot find module '@grpc/grpc-js'"];

test("a process that misses packages is told whose they are, as long as nobody has installed them", async () => {
  const below = path.join(project, "services");
  expect(lacksPackages(below, project, missing)).toBeUndefined();
  await writeFile(path.join(project, "package.json"), "{}");
  expect(lacksPackages(below, project, missing)).toBe(project);
  expect(lacksPackages(project, project, ["sh: 1: tsx: not found"])).toBe(project);
  expect(lacksPackages(below, project, ["TypeError: x is no function"])).toBeUndefined();
  expect(lacksPackages(path.dirname(project), project, missing)).toBeUndefined();
  await mkdir(below);
  await writeFile(path.join(below, "package.json"), "{}");
  expect(lacksPackages(below, project, missing)).toBe(below);
  await mkdir(path.join(below, "node_modules"));
  expect(lacksPackages(below, project, missing)).toBeUndefined();
});

test("each install is seen, here and above, up to the project", async () => {
  const below = path.join(project, "services");
  const seen = new Set<string>();
  const look = (): number => seen.add(installedIn(below, project)).size;
  expect(look()).toBe(1);
  for (const folder of [project, below]) {
    await mkdir(path.join(folder, "node_modules"), { recursive: true });
    expect(look()).toBe(seen.size);
    await writeFile(path.join(folder, "node_modules/.package-lock.json"), "{}");
    look();
  }
  expect(seen.size).toBe(3);
  await utimes(path.join(project, "node_modules/.package-lock.json"), 1, 1);
  expect(look()).toBe(4);
});
