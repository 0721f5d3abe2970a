import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildConsole } from "../../scripts/bundle/console.ts";
import { sizesOf } from "./sizes.ts";

const outdir = mkdtempSync(path.join(os.tmpdir(), "sidestep-budget-"));
const built = path.join(outdir, "console");

beforeAll(async () => void (await buildConsole(outdir)));
afterAll(() => rmSync(outdir, { recursive: true, force: true }));

test("what the console needs before its first page is at most 120 kB, and a graph at most 90 kB more", () => {
  const { entry, graph } = sizesOf(built);
  expect(entry).toBeLessThanOrEqual(120);
  expect(entry).toBeGreaterThan(40);
  expect(graph).toBeLessThanOrEqual(90);
});

test("pages hold no script, no style and no address of elsewhere of their own", () => {
  const page = readFileSync(path.join(built, "index.html"), "utf8");
  expect(page).not.toMatch(/<script>|<style| style=| on\w+=/);
  const texts = readdirSync(path.join(built, "assets")).map((file) =>
    readFileSync(path.join(built, "assets", file), "utf8"),
  );
  for (const text of [page, ...texts]) expect(text).not.toMatch(/dangerouslySetInnerHTML:|(?:src|href)="https?:/);
});
