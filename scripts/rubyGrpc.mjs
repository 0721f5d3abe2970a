// Finds a Ruby that has the gem grpc, or unpacks Debian's into the cache. Nothing is installed, no root needed.
// Plain JavaScript for Node 18 and later, without a dependency: it runs before anything is installed.
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { cacheFolder } from "../bin/cacheFolder.mjs";
import { aptObstacle } from "../bin/privateApt.mjs";
import { fetchDebianPackages } from "./debianPackages.mjs";

const debianPackages = ["ruby", "ruby-grpc"];
const remedy = "What to do: install the gem grpc for a Ruby (gem install grpc) and set SIDESTEP_RUBY to it.";

/**
 * The path of a Ruby that has grpc. Order: SIDESTEP_RUBY (used or refused), ruby on PATH, the cache folder, the packages of the machine's own Debian
 * release. Throws an Error that says what to do when none can be had.
 */
export function ensureRuby({ say = (line) => process.stderr.write(`${line}\n`) } = {}) {
  const named = process.env.SIDESTEP_RUBY;
  if (named !== undefined && named !== "") {
    if (hasGrpc(named)) return named;
    throw new Error(`SIDESTEP_RUBY names ${named}, which can't be used: it has no grpc\n${remedy}`);
  }
  const folder = path.join(cacheFolder("ruby"), `grpc-${process.arch}`);
  const kept = path.join(folder, "bin", "ruby");
  const found = ["ruby", kept].find(hasGrpc);
  if (found !== undefined) return found;
  const noApt = aptObstacle();
  if (noApt !== undefined)
    throw new Error(`No Ruby with grpc was found, and it can't be fetched: ${noApt}.\n${remedy}`);
  say("ruby: fetching Debian's grpc …");
  try {
    fetchDebianPackages({
      name: "ruby",
      packages: debianPackages,
      folder,
      finish: (files) => writeLauncher(files, folder),
    });
  } catch (error) {
    throw new Error(`No Ruby with grpc was found, and Debian's packages can't be had: ${error.message}\n${remedy}`, {
      cause: error,
    });
  }
  if (!hasGrpc(kept)) throw new Error(`Debian's grpc for Ruby was fetched but does not work.\n${remedy}`);
  say(`ruby: grpc is in ${folder}`);
  return kept;
}

function hasGrpc(ruby) {
  return spawnSync(ruby, ["-e", 'require "grpc"; require "google/protobuf/descriptor_pb"']).status === 0;
}

/** A small shell program that tells Ruby where the unpacked libraries and gems are; `exec` keeps one pid, so that signals arrive. */
function writeLauncher(files, home) {
  const below = (folder) => (existsSync(path.join(files, folder)) ? readdirSync(path.join(files, folder)) : []);
  const own = (names) => names.map((name) => path.join(home, name)).join(":");
  const machines = below("usr/lib").filter((name) => /-linux-[^/]*$/.test(name));
  const program = below("usr/bin").find((name) => /^ruby\d/.test(name)) ?? "ruby";
  const versions = below("usr/lib/ruby").filter((name) => /^\d/.test(name));
  const libraries = machines.flatMap((machine) => [`usr/lib/${machine}`, `lib/${machine}`]);
  const sources = ["usr/lib/ruby/vendor_ruby", ...versions.map((version) => `usr/lib/ruby/${version}`)].concat(
    machines.flatMap((machine) => [
      `usr/lib/${machine}/ruby/vendor_ruby`,
      ...versions.flatMap((version) => [
        `usr/lib/${machine}/ruby/${version}`,
        `usr/lib/${machine}/ruby/vendor_ruby/${version}`,
      ]),
    ]),
  );
  const gems = ["usr/share/rubygems-integration/all"].concat(
    versions.flatMap((version) => machines.map((machine) => `usr/lib/${machine}/rubygems-integration/${version}`)),
  );
  const file = path.join(files, "bin", "ruby");
  mkdirSync(path.dirname(file), { recursive: true });
  const lines = [
    "#!/bin/sh",
    `export LD_LIBRARY_PATH='${own(libraries)}'"\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"`,
    `export RUBYLIB='${own(sources)}'"\${RUBYLIB:+:$RUBYLIB}"`,
    `export GEM_PATH='${own(gems)}'"\${GEM_PATH:+:$GEM_PATH}"`,
    `exec '${path.join(home, "usr/bin", program)}' "$@"`,
    "",
  ];
  writeFileSync(file, lines.join("\n"));
  chmodSync(file, 0o755);
}
