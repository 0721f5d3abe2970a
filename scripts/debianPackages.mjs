// Unpacks packages of the machine's own Debian release into the cache. Nothing is installed, no root needed.
// Plain JavaScript for Node 18 and later, without a dependency: it runs before anything is installed.
import { mkdtempSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { cacheFolder } from "../bin/cacheFolder.mjs";
import { unpackFromOwnSources } from "../bin/privateApt.mjs";

/**
 * Puts what installing `packages` would add into `folder`, below the cache folder of `name`: all of it, or nothing. `finish` may add to the files,
 * where they lie before they are moved there. `alone`: without what they depend on. Throws with a sentence when they can't be had.
 */
export function fetchDebianPackages({ name, packages, folder, alone = false, finish = () => undefined }) {
  const work = mkdtempSync(path.join(cacheFolder(name), ".fetch-"));
  try {
    const into = path.join(work, "files");
    unpackFromOwnSources({ packages, alone, into, work });
    finish(into);
    rmSync(folder, { recursive: true, force: true });
    renameSync(into, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
