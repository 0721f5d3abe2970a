import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildConsole } from "../../scripts/bundle/console.ts";

const outdir = mkdtempSync(path.join(os.tmpdir(), "sidestep-budget-"));
const built = path.join(outdir, "console");

beforeAll(async () => void (await buildConsole(outdir)));
afterAll(() => rmSync(outdir, { recursive: true, force: true }));

/** As it goes over the wire. */
const kilobytes = (file: string): number => gzipSync(readFileSync(path.join(built, file))).length / 1000;

/** A script of the build and all that it imports at once. */
function withImports(script: string, seen = new Set<string>()): ReadonlySet<string> {
  if (seen.has(script)) return seen;
  seen.add(script);
  const text = readFileSync(path.join(built, script), "utf8");
  for (const [, , target = ""] of text.matchAll(/(^|[;}])import[^"'()]*["']\.\/([^"']+\.js)["']/g))
    withImports(`assets/${target}`, seen);
  return seen;
}

test("what the console needs before its first page is at most 120 kB, and a graph at most 90 kB more", () => {
  const page = readFileSync(path.join(built, "index.html"), "utf8");
  const named = [...page.matchAll(/(?:src|href)="\/console\/([^"]+\.(?:js|css))"/g)].map(([, file = ""]) => file);
  expect(named.length).toBeGreaterThan(2);
  const first = new Set(named.flatMap((file) => (file.endsWith(".js") ? Array.from(withImports(file)) : [file])));
  const entry = [...first].reduce((sum, file) => sum + kilobytes(file), 0);
  expect(entry).toBeLessThanOrEqual(120);
  expect(entry).toBeGreaterThan(40);
  const graph = readdirSync(path.join(built, "assets")).find((file) => /^Graph-.*\.js$/.test(file));
  const more = [...withImports(`assets/${graph ?? ""}`)].filter((file) => !first.has(file));
  expect(more.reduce((sum, file) => sum + kilobytes(file), 0)).toBeLessThanOrEqual(90);
});

test("pages hold no script, no style and no address of elsewhere of their own", () => {
  const page = readFileSync(path.join(built, "index.html"), "utf8");
  expect(page).not.toMatch(/<script>|<style| style=| on\w+=/);
  const texts = readdirSync(path.join(built, "assets")).map((file) =>
    readFileSync(path.join(built, "assets", file), "utf8"),
  );
  for (const text of [page, ...texts]) expect(text).not.toMatch(/dangerouslySetInnerHTML:|(?:src|href)="https?:/);
});
