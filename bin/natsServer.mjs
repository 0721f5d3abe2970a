// Finds a nats-server that fits, or fetches one into the cache. It is part of the package, for `sidestep dev`.
// Plain JavaScript for Node 18 and later, without a dependency: in a clone it runs before anything is installed.
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { cacheFolder } from "./cacheFolder.mjs";
import { aptObstacle, unpackFromDebianSuite } from "./privateApt.mjs";

/** The versions we run on, in words; docs/configuration.md says why. */
export const fitVersions = "2.12.12 or later in 2.12, or 2.14.3 or later";
const releaseVersion = "2.15.1";
const releaseUrl = `https://github.com/nats-io/nats-server/releases/download/v${releaseVersion}`;
const debianSuites = ["forky", "sid"];

/**
 * The path of a nats-server that fits. Order: NATS_SERVER (used or refused, never passed over), PATH, the cache folder, the
 * official release archive with its checksum, the Debian package of a newer suite. Progress goes to `say`. Throws an Error
 * whose message says what to do when none can be had.
 */
export async function ensureNatsServer({ say = (line) => process.stderr.write(`${line}\n`) } = {}) {
  const named = process.env.NATS_SERVER;
  if (named !== undefined && named !== "") return requireFit(named);
  const found = findOnPath() ?? findInCache();
  if (found !== undefined) return found;
  const failures = [];
  for (const [what, fetchIt] of [
    ["the official release", fetchRelease],
    ["the Debian package", fetchDebianPackage],
  ]) {
    try {
      say(`nats-server: fetching ${what} …`);
      const file = await fetchIt();
      say(`nats-server: ${versionOf(file)} is in ${path.dirname(file)}`);
      return file;
    } catch (error) {
      failures.push(`  ${what}: ${error.message}`);
      say(`nats-server: ${what} can't be had: ${error.message}`);
    }
  }
  throw new Error(
    [
      `No nats-server that fits was found or could be fetched (needed: ${fitVersions}).`,
      ...failures,
      "What to do: download one from https://github.com/nats-io/nats-server/releases and set NATS_SERVER to its path.",
    ].join("\n"),
  );
}

/** True for versions that hold the dedupe and security fixes we rest on. A pre-release counts as older than its release. */
export function isFit(version) {
  const match = /^v?(\d+)\.(\d+)\.(\d+)(-.+)?$/.exec(version ?? "");
  if (match === null) return false;
  const [major, minor, patch] = match.slice(1, 4).map(Number);
  const released = match[4] === undefined;
  const atLeast = (floor) => patch > floor || (patch === floor && released);
  if (major !== 2) return major > 2;
  if (minor === 12) return atLeast(12);
  return minor > 14 || (minor === 14 && atLeast(3));
}

/** What `<file> --version` says, as "2.15.1"; undefined when the file can't be run or says something else. */
export function versionOf(file) {
  const result = spawnSync(file, ["--version"], { encoding: "utf8", timeout: 10_000 });
  return /nats-server: v(\S+)/.exec(result.stdout ?? "")?.[1];
}

function requireFit(file) {
  const version = versionOf(file);
  if (isFit(version)) return path.resolve(file);
  const what = version === undefined ? "which is not a nats-server that runs here" : `which is version ${version}`;
  throw new Error(
    `NATS_SERVER names ${file}, ${what}; needed: ${fitVersions}.\nWhat to do: name another one, or unset NATS_SERVER to have one fetched.`,
  );
}

function findOnPath() {
  const folders = (process.env.PATH ?? "").split(path.delimiter).filter((folder) => folder !== "");
  return folders
    .map((folder) => path.join(folder, "nats-server"))
    .find((file) => existsSync(file) && isFit(versionOf(file)));
}

function findInCache() {
  const cache = cacheFolder("nats-server");
  const versions = readdirSync(cache)
    .filter(isFit)
    .sort((a, b) => b.localeCompare(a, "en", { numeric: true }));
  return versions
    .map((version) => path.join(cache, version, "nats-server"))
    .find((file) => existsSync(file) && isFit(versionOf(file)));
}

async function fetchRelease() {
  const platform = { linux: "linux", darwin: "darwin" }[process.platform];
  const machine = { x64: "amd64", arm64: "arm64" }[process.arch];
  if (platform === undefined || machine === undefined)
    throw new Error(`none is known for ${process.platform} on ${process.arch}`);
  const name = `nats-server-v${releaseVersion}-${platform}-${machine}`;
  const checksums = (await download(`${releaseUrl}/SHA256SUMS`)).toString("utf8");
  const expected = checksums
    .split("\n")
    .find((line) => line.trim().endsWith(`${name}.tar.gz`))
    ?.split(/\s+/)[0];
  if (expected === undefined) throw new Error(`SHA256SUMS has no line for ${name}.tar.gz`);
  const archive = await download(`${releaseUrl}/${name}.tar.gz`);
  const actual = createHash("sha256").update(archive).digest("hex");
  if (actual !== expected) throw new Error(`checksum of ${name}.tar.gz is ${actual}, expected ${expected}`);
  return inWorkFolder((work) => {
    const file = path.join(work, "archive.tar.gz");
    writeFileSync(file, archive);
    execFileSync("tar", ["-xzf", file, "-C", work]);
    return keep(path.join(work, name, "nats-server"));
  });
}

/** Five seconds to answer, two minutes to arrive: no network must not hold anybody up. */
async function download(url) {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(new Error("no answer within 5 s")), 5_000);
  try {
    const response = await fetch(url, {
      signal: AbortSignal.any?.([abort.signal, AbortSignal.timeout(120_000)]) ?? abort.signal,
    });
    clearTimeout(timer);
    if (!response.ok) throw new Error(`${url} answered ${response.status}`);
    return Buffer.from(await response.arrayBuffer());
  } catch (error) {
    throw new Error(`${new URL(url).host}: ${error.cause?.message ?? error.message}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

function fetchDebianPackage() {
  const obstacle = aptObstacle();
  if (obstacle !== undefined) throw new Error(obstacle);
  return inWorkFolder((work) => {
    const failures = [];
    for (const suite of debianSuites) {
      try {
        const into = path.join(work, suite);
        unpackFromDebianSuite({ suite, packages: ["nats-server"], into, work });
        return keep(
          ["usr/sbin/nats-server", "usr/bin/nats-server"].map((it) => path.join(into, it)).find(existsSync) ?? into,
        );
      } catch (error) {
        failures.push(`${suite}: ${error.message}`);
      }
    }
    throw new Error(failures.join("; "));
  });
}

/** Moves a fetched server to its place in the cache; a rename, so that two at once don't meet half a file. */
function keep(file) {
  const version = versionOf(file);
  if (!isFit(version)) throw new Error(`it is version ${version ?? "unknown"}, needed: ${fitVersions}`);
  const folder = path.join(cacheFolder("nats-server"), version);
  const target = path.join(folder, "nats-server");
  const arriving = path.join(folder, `.nats-server-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  copyFileSync(file, arriving);
  chmodSync(arriving, 0o755);
  renameSync(arriving, target);
  return target;
}

function inWorkFolder(use) {
  const work = mkdtempSync(path.join(cacheFolder("nats-server"), ".fetch-"));
  try {
    return use(work);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
