import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { repositoryRoot } from "./support/program.ts";

const folder = mkdtempSync(path.join(os.tmpdir(), "sidestep-site-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Throws on a link to a page that is not there. */
beforeAll(() => {
  execFileSync(process.execPath, ["node_modules/vitepress/bin/vitepress.js", "build", "docs", "--outDir", folder], {
    cwd: repositoryRoot,
    stdio: "pipe",
  });
});

const config = readFileSync(path.join(repositoryRoot, "docs/.vitepress/config.ts"), "utf8");
const listed = [...config.matchAll(/link: "\/([^"]*)"/g)].map(([, link = ""]) => (link === "" ? "index" : link));

test("each page of the menu is there", () => {
  expect(listed.filter((page) => !existsSync(path.join(folder, `${page}.html`)))).toEqual([]);
});

test("each page of docs/ is in the menu", () => {
  const pages = readdirSync(path.join(repositoryRoot, "docs"))
    .filter((file) => file.endsWith(".md"))
    .map((file) => `docs/${file.slice(0, -".md".length)}`);
  expect(pages.filter((page) => !listed.includes(page))).toEqual([]);
});

test("pages have their pictures and what is searched, and load nothing from elsewhere", () => {
  const page = readFileSync(path.join(folder, "docs/console.html"), "utf8");
  expect(page).toMatch(/<img [^>]*src="\/assets\//);
  expect(page).not.toMatch(/(src|href)="https?:\/\/[^"]+\.(js|css|woff2?)"/);
  const chunks = readdirSync(path.join(folder, "assets/chunks"));
  const index = chunks.find((file) => file.startsWith("@localSearchIndex"));
  expect(readFileSync(path.join(folder, "assets/chunks", index ?? ""), "utf8")).toContain("idempotency");
});
