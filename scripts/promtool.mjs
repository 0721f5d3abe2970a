// Finds promtool, or unpacks Debian's into the cache. Nothing is installed, no root needed.
// Plain JavaScript for Node 18 and later, without a dependency: it runs before anything is installed.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder } from "../bin/cacheFolder.mjs";
import { aptObstacle } from "../bin/privateApt.mjs";
import { fetchDebianPackages } from "./debianPackages.mjs";

const remedy = "What to do: install Prometheus, or set SIDESTEP_PROMTOOL to its program promtool.";

/**
 * The path of a promtool. Order: SIDESTEP_PROMTOOL (used or refused), PATH, the cache folder, the package of the machine's own Debian release.
 * Throws an Error that says what to do when none can be had.
 */
export function ensurePromtool({ say = (line) => process.stderr.write(`${line}\n`) } = {}) {
  const named = process.env.SIDESTEP_PROMTOOL;
  if (named !== undefined && named !== "") {
    if (works(named)) return named;
    throw new Error(`SIDESTEP_PROMTOOL names ${named}, which does not run.\n${remedy}`);
  }
  const files = path.join(cacheFolder("promtool"), `files-${process.arch}`);
  const kept = path.join(files, "usr", "bin", "promtool");
  const onPath = (process.env.PATH ?? "").split(path.delimiter).filter((folder) => folder !== "");
  const found = onPath
    .map((folder) => path.join(folder, "promtool"))
    .concat(kept)
    .find(works);
  if (found !== undefined) return found;
  const noApt = aptObstacle();
  if (noApt !== undefined) throw new Error(`No promtool was found, and it can't be fetched: ${noApt}.\n${remedy}`);
  say("promtool: fetching Debian's …");
  try {
    // It needs nothing beside itself: the package alone will do.
    fetchDebianPackages({ name: "promtool", packages: ["prometheus"], folder: files, alone: true });
  } catch (error) {
    throw new Error(`No promtool was found, and Debian's package can't be had: ${error.message}\n${remedy}`, {
      cause: error,
    });
  }
  if (!works(kept)) throw new Error(`Debian's promtool was fetched but does not run.\n${remedy}`);
  say(`promtool: ${kept}`);
  return kept;
}

function works(file) {
  return existsSync(file) && spawnSync(file, ["--version"], { timeout: 10_000 }).status === 0;
}

if (process.argv[1] !== undefined && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    process.stdout.write(`${ensurePromtool()}\n`);
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
