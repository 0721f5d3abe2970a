// Builds the documentation as a site into dist/site, or shows it while it is written.
//   npm run site                builds; fails on a link to a page that is not there
//   npm run site -- --serve     builds, and serves it at 127.0.0.1:4173
//   npm run site -- --watch     serves the pages as they are saved, at 127.0.0.1:5173
import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";

const { values } = parseArgs({ options: { serve: { type: "boolean" }, watch: { type: "boolean" } } });

function vitepress(...args: readonly string[]): number {
  return (
    spawnSync(process.execPath, ["node_modules/vitepress/bin/vitepress.js", ...args], { stdio: "inherit" }).status ?? 1
  );
}

const local = ["--host", "127.0.0.1"];
if (values.watch === true) process.exitCode = vitepress("dev", "docs", ...local);
else {
  process.exitCode = vitepress("build", "docs");
  if (values.serve === true && process.exitCode === 0) process.exitCode = vitepress("preview", "docs", ...local);
}
