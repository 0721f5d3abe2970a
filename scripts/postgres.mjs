// Finds PostgreSQL's programs, or unpacks Debian's into the cache. Nothing is installed, no root needed.
// Plain JavaScript for Node 18 and later, without a dependency: it runs before anything is installed.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder } from "../bin/cacheFolder.mjs";
import { aptObstacle } from "../bin/privateApt.mjs";
import { fetchDebianPackages } from "./debianPackages.mjs";

const debianHome = "usr/lib/postgresql";
const remedy =
  "What to do: install PostgreSQL 14 or later, or set SIDESTEP_POSTGRES to the folder that has initdb and postgres.";

/**
 * The folder with a PostgreSQL's `initdb` and `postgres`, and the folders of libraries they need besides the system's. Order: SIDESTEP_POSTGRES
 * (used or refused), PATH, where Debian installs it, the cache folder, the package of the machine's own Debian release. Throws an Error that
 * says what to do when none can be had.
 */
export function ensurePostgres({ say = (line) => process.stderr.write(`${line}\n`) } = {}) {
  const named = process.env.SIDESTEP_POSTGRES;
  const files = path.join(cacheFolder("postgres"), `files-${process.arch}`);
  if (named !== undefined && named !== "") {
    const found = { bin: named, libraries: isBelow(named, files) ? librariesIn(files) : [] };
    if (works(found)) return found;
    throw new Error(`SIDESTEP_POSTGRES names ${named}, where no initdb and postgres run.\n${remedy}`);
  }
  const onPath = (process.env.PATH ?? "").split(path.delimiter).filter((folder) => folder !== "");
  const found = [...onPath, ...versionsIn(`/${debianHome}`)]
    .map((bin) => ({ bin, libraries: [] }))
    .concat(versionsIn(path.join(files, debianHome)).map((bin) => ({ bin, libraries: librariesIn(files) })))
    .find(works);
  if (found !== undefined) return found;
  const noApt = aptObstacle();
  if (noApt !== undefined) throw new Error(`No PostgreSQL was found, and it can't be fetched: ${noApt}.\n${remedy}`);
  say("postgres: fetching Debian's …");
  try {
    fetchDebianPackages({ name: "postgres", packages: ["postgresql"], folder: files });
  } catch (error) {
    throw new Error(`No PostgreSQL was found, and Debian's package can't be had: ${error.message}\n${remedy}`, {
      cause: error,
    });
  }
  const fetched = versionsIn(path.join(files, debianHome))
    .map((bin) => ({ bin, libraries: librariesIn(files) }))
    .find(works);
  if (fetched === undefined) throw new Error(`Debian's PostgreSQL was fetched but does not run.\n${remedy}`);
  say(`postgres: ${fetched.bin}`);
  return fetched;
}

/** Both programs are there and run. */
function works({ bin, libraries }) {
  const env = { ...process.env, LD_LIBRARY_PATH: libraries.join(":") };
  return ["initdb", "postgres"].every((name) => {
    const file = path.join(bin, name);
    return existsSync(file) && spawnSync(file, ["--version"], { env, timeout: 10_000 }).status === 0;
  });
}

/** `bin` folders of the versions in a folder, newest first. */
function versionsIn(home) {
  if (!existsSync(home)) return [];
  const newest = readdirSync(home).sort((a, b) => b.localeCompare(a, "en", { numeric: true }));
  return newest.map((version) => path.join(home, version, "bin"));
}

function librariesIn(files) {
  return ["usr/lib", "lib"]
    .filter((base) => existsSync(path.join(files, base)))
    .flatMap((base) => readdirSync(path.join(files, base)).map((name) => path.join(files, base, name)))
    .filter((folder) => /-linux-[^/]*$/.test(folder));
}

function isBelow(folder, home) {
  return !path.relative(home, folder).startsWith("..");
}

if (process.argv[1] !== undefined && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    process.stdout.write(`${ensurePostgres().bin}\n`);
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
