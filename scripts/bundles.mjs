// Bundles for programs of this clone that are better shown as they are shipped. Plain JavaScript for Node 18 and later, without a dependency.
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import path from "node:path";
import { newestChange } from "../bin/sources.mjs";
import { pinnedNode } from "./dependencies.mjs";

/** The folder of bundles that are newer than the sources; builds them when they are not there. Throws an Error with the build's own words. */
export function ensureBundles({ root, say }) {
  const folder = path.join(root, ".cache", "bundles");
  // Written when all of them are.
  const last = path.join(folder, "LICENSES.txt");
  if (existsSync(last) && statSync(last).mtimeMs > newestChange(root)) return folder;
  say("bundles: npm run build …");
  const built = spawnSync(pinnedNode(root), ["scripts/build.ts", folder], { cwd: root, encoding: "utf8" });
  if (built.status !== 0) throw new Error(`the build failed:\n${built.stderr || built.error?.message}`);
  return folder;
}
