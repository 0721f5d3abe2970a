// Finds a Python that has grpcio, or unpacks Debian's into the cache. Nothing is installed, no root needed.
// Plain JavaScript for Node 18 and later, without a dependency: it runs before anything is installed.
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder } from "../bin/cacheFolder.mjs";
import { aptObstacle } from "../bin/privateApt.mjs";
import { fetchDebianPackages } from "./debianPackages.mjs";

const debianPackages = ["python3", "python3-grpcio", "python3-protobuf"];
const remedy = "What to do: install grpcio for a Python 3 (pip install grpcio protobuf) and set SIDESTEP_PYTHON to it.";

/**
 * The path of a Python 3 that has grpcio. Order: SIDESTEP_PYTHON (used or refused), python3
 * on PATH, /usr/bin/python3, the cache folder, the packages of the machine's own Debian release. Throws an Error that says
 * what to do when none can be had.
 */
export function ensurePython({ say = (line) => process.stderr.write(`${line}\n`) } = {}) {
  const named = process.env.SIDESTEP_PYTHON;
  if (named !== undefined && named !== "") {
    const obstacle = obstacleOf(named);
    if (obstacle === undefined) return named;
    throw new Error(`SIDESTEP_PYTHON names ${named}, which can't be used: ${obstacle}\n${remedy}`);
  }
  const folder = path.join(cacheFolder("python"), `grpc-${process.arch}`);
  const kept = path.join(folder, "bin", "python3");
  const found = ["python3", "/usr/bin/python3", kept].find((python) => obstacleOf(python) === undefined);
  if (found !== undefined) return found;
  const noApt = aptObstacle();
  if (noApt !== undefined)
    throw new Error(`No Python 3 with grpcio was found, and it can't be fetched: ${noApt}.\n${remedy}`);
  say("python: fetching Debian's grpcio …");
  try {
    fetchDebianPackages({
      name: "python",
      packages: debianPackages,
      folder,
      finish: (files) => writeLauncher(files, folder),
    });
  } catch (error) {
    throw new Error(
      `No Python 3 with grpcio was found, and Debian's packages can't be had: ${error.message}\n${remedy}`,
      { cause: error },
    );
  }
  const obstacle = obstacleOf(kept);
  if (obstacle !== undefined) throw new Error(`Debian's grpcio was fetched but does not work: ${obstacle}\n${remedy}`);
  say(`python: grpcio is in ${folder}`);
  return kept;
}

/** Why a Python can't serve gRPC, as a sentence; undefined when it can. */
function obstacleOf(python) {
  const probe = spawnSync(python, ["-c", "import grpc, google.protobuf"], { encoding: "utf8" });
  if (probe.status === 0) return undefined;
  return `${(probe.error?.message ?? probe.stderr).trim().split("\n").at(-1)}.`;
}

/** A small shell program that tells Python where the unpacked libraries are; `exec` keeps one pid, so that signals arrive. */
function writeLauncher(files, home) {
  const libraries = ["usr/lib", "lib"]
    .filter((base) => existsSync(path.join(files, base)))
    .flatMap((base) => readdirSync(path.join(files, base)).map((name) => path.join(home, base, name)))
    .filter((folder) => /-linux-[^/]*$/.test(folder))
    .join(":");
  const python = existsSync("/usr/bin/python3") ? "/usr/bin/python3" : path.join(home, "usr/bin/python3");
  const file = path.join(files, "bin", "python3");
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(
    file,
    [
      "#!/bin/sh",
      `export LD_LIBRARY_PATH='${libraries}'"\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"`,
      `export PYTHONPATH='${path.join(home, "usr/lib/python3/dist-packages")}'"\${PYTHONPATH:+:$PYTHONPATH}"`,
      `exec '${python}' "$@"`,
      "",
    ].join("\n"),
  );
  chmodSync(file, 0o755);
}

if (process.argv[1] !== undefined && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    process.stdout.write(`${ensurePython()}\n`);
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
