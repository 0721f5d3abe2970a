// Finds Chromium, or unpacks Debian's into the cache. Nothing is installed, no root needed.
// Plain JavaScript for Node 18 and later, without a dependency: it runs before anything is installed.
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder } from "../bin/cacheFolder.mjs";
import { aptObstacle } from "../bin/privateApt.mjs";
import { fetchDebianPackages } from "./debianPackages.mjs";

const names = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];
const debianPackages = ["chromium", "fonts-dejavu-core"];
const remedy = "What to do: install Chromium or Chrome, or set SIDESTEP_CHROMIUM to its program.";

/**
 * The path of a Chromium. Order: SIDESTEP_CHROMIUM (used or refused), PATH, the cache folder, the package of the machine's own Debian release.
 * Throws an Error that says what to do when none can be had.
 */
export function ensureChromium({ say = (line) => process.stderr.write(`${line}\n`) } = {}) {
  const named = process.env.SIDESTEP_CHROMIUM;
  if (named !== undefined && named !== "") {
    if (works(named)) return named;
    throw new Error(`SIDESTEP_CHROMIUM names ${named}, which does not run.\n${remedy}`);
  }
  const folder = path.join(cacheFolder("chromium"), `files-${process.arch}`);
  const kept = path.join(folder, "run", "chromium");
  const onPath = (process.env.PATH ?? "").split(path.delimiter).filter((it) => it !== "");
  const found = onPath
    .flatMap((it) => names.map((name) => path.join(it, name)))
    .concat(kept)
    .find(works);
  if (found !== undefined) return found;
  const noApt = aptObstacle();
  if (noApt !== undefined) throw new Error(`No Chromium was found, and it can't be fetched: ${noApt}.\n${remedy}`);
  say("chromium: fetching Debian's …");
  try {
    fetchDebianPackages({
      name: "chromium",
      packages: debianPackages,
      folder,
      finish: (files) => writeLauncher(files, folder),
    });
  } catch (error) {
    throw new Error(`No Chromium was found, and Debian's package can't be had: ${error.message}\n${remedy}`, {
      cause: error,
    });
  }
  if (!works(kept)) throw new Error(`Debian's Chromium was fetched but does not run.\n${remedy}`);
  say(`chromium: ${kept}`);
  return kept;
}

function works(program) {
  return existsSync(program) && spawnSync(program, ["--version"], { timeout: 20_000 }).status === 0;
}

/** A small shell program that says where the unpacked libraries and fonts are; `exec` keeps one pid, so that signals arrive. */
function writeLauncher(files, home) {
  const libraries = ["usr/lib", "lib"]
    .filter((base) => existsSync(path.join(files, base)))
    .flatMap((base) => readdirSync(path.join(files, base)).map((name) => path.join(base, name)))
    .filter((folder) => /-linux-[^/]*$/.test(folder))
    // PulseAudio and others keep some of theirs in folders of their own.
    .flatMap((folder) => [folder].concat(foldersIn(files, folder)))
    .map((folder) => path.join(home, folder))
    .join(":");
  const run = path.join(files, "run");
  mkdirSync(run);
  writeFileSync(
    path.join(run, "fonts.conf"),
    `<?xml version="1.0"?><fontconfig><dir>${home}/usr/share/fonts</dir><dir>/usr/share/fonts</dir><cachedir>${home}/run/fonts</cachedir></fontconfig>\n`,
  );
  writeFileSync(
    path.join(run, "chromium"),
    [
      "#!/bin/sh",
      `export LD_LIBRARY_PATH='${libraries}'"\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"`,
      `export FONTCONFIG_FILE='${home}/run/fonts.conf'`,
      `exec '${home}/usr/lib/chromium/chromium' "$@"`,
      "",
    ].join("\n"),
  );
  chmodSync(path.join(run, "chromium"), 0o755);
}

function foldersIn(files, folder) {
  return readdirSync(path.join(files, folder), { withFileTypes: true })
    .filter((found) => found.isDirectory())
    .map((found) => path.join(folder, found.name));
}

if (process.argv[1] !== undefined && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    process.stdout.write(`${ensureChromium()}\n`);
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
