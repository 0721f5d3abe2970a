// apt in a folder of its own: verified packages of a Debian mirror, unpacked without root and without touching the machine.
// Plain JavaScript for Node 18 and later, without a dependency: it runs before anything is installed.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";

const debianKeyrings = [
  "/usr/share/keyrings/debian-archive-keyring.gpg",
  "/usr/share/keyrings/debian-archive-keyring.pgp",
];
const debianMirrorDefault = "http://deb.debian.org/debian";

/** Why apt can't be used on this machine, as half a sentence; undefined when it can. */
export function aptObstacle() {
  const missing = ["apt-get", "apt-config", "dpkg-deb"].find((program) => !isOnPath(program));
  return missing === undefined ? undefined : `${missing} is not on PATH (not a Debian-like system)`;
}

/**
 * Downloads `packages` of a newer Debian suite and unpacks them into `into`; dependencies are not followed. apt verifies the
 * chain: InRelease against the Debian archive keyring, Packages against InRelease, the .deb against Packages.
 * Throws with a sentence when that can't be done.
 */
export function unpackFromDebianSuite({ suite, packages, into, work }) {
  const keyring = debianKeyrings.find((file) => existsSync(file));
  if (keyring === undefined) {
    throw new Error("the Debian archive keyring is missing: install the package debian-archive-keyring");
  }
  requireVerifier();
  const source = `deb [signed-by=${keyring}] ${debianMirror()} ${suite} main\n`;
  withApt({ work, source, status: "/dev/null" }, (apt) => {
    // A mirror that stands still is expired but no less signed; the caller's version floor guards against a rollback.
    const update = apt.attempt(["-o", "Acquire::Check-Valid-Until=false", "update"]);
    const download = apt.attempt(["download", ...packages]);
    if (download.status !== 0) throw new Error(lastLines(`${update.stderr}\n${download.stderr}`));
    unpackAll(apt.folder, into);
  });
}

/**
 * Downloads from the machine's own apt sources what installing `packages` would add, dependencies included unless they are wanted `alone`,
 * and unpacks it into `into`. Nothing is installed. Throws with a sentence when that can't be done.
 */
export function unpackFromOwnSources({ packages, into, work, alone = false }) {
  requireVerifier();
  withApt({ work, source: undefined, status: "/var/lib/dpkg/status" }, (apt) => {
    // One dead third-party source must not hold up the rest: what counts is whether the packages can be had.
    const update = apt.attempt(["-o", "Acquire::Check-Valid-Until=false", "update"]);
    if (alone) {
      const download = apt.attempt(["download", ...packages]);
      if (download.status !== 0) throw new Error(lastLines(`${update.stderr}\n${download.stderr}`));
      return unpackAll(apt.folder, into);
    }
    const install = apt.attempt([
      "--yes",
      "--no-install-recommends",
      "--download-only",
      "-o",
      "Debug::NoLocking=true",
      "install",
      ...packages,
    ]);
    if (install.status !== 0) throw new Error(lastLines(`${update.stderr}\n${install.stderr}`));
    unpackAll(path.join(apt.folder, "cache", "archives"), into);
  });
}

/** The Debian mirror named in the machine's apt sources, one-line or deb822; deb.debian.org when there is none. */
export function debianMirror(etc = "/etc/apt") {
  const found = sourceFiles(etc).flatMap((file) => {
    const text = readFileSync(file, "utf8");
    return file.endsWith(".sources") ? deb822Sources(text) : oneLineSources(text);
  });
  const debian = found.find(({ uri, components }) => /\/debian\/?$/.test(uri) && components.includes("main"));
  return debian?.uri.replace(/\/$/, "") ?? debianMirrorDefault;
}

function sourceFiles(etc) {
  const parts = path.join(etc, "sources.list.d");
  const listed = existsSync(parts)
    ? readdirSync(parts)
        .sort()
        .map((name) => path.join(parts, name))
    : [];
  return [path.join(etc, "sources.list"), ...listed].filter(
    (file) => /\.(list|sources)$/.test(file) && existsSync(file),
  );
}

function oneLineSources(text) {
  return [...text.matchAll(/^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+([^#\n]*)/gm)].map(([, uri, , components]) => ({
    uri,
    components: components.trim().split(/\s+/),
  }));
}

function deb822Sources(text) {
  const paragraphs = text.replace(/^#.*\n?/gm, "").split(/\n\s*\n/);
  return paragraphs.flatMap((paragraph) => {
    const field = (name) => words(new RegExp(`^${name}:((?:.*)(?:\\n[ \\t].*)*)`, "im").exec(paragraph)?.[1] ?? "");
    if (!field("Types").includes("deb") || field("Enabled")[0] === "no") return [];
    return field("URIs").map((uri) => ({ uri, components: field("Components") }));
  });
}

function words(text) {
  return text.split(/\s+/).filter((word) => word !== "");
}

function withApt({ work, source, status }, use) {
  mkdirSync(work, { recursive: true });
  const folder = mkdtempSync(path.join(work, "apt-"));
  try {
    for (const name of ["state/lists/partial", "cache/archives/partial", "none"]) {
      mkdirSync(path.join(folder, name), { recursive: true });
    }
    writeFileSync(path.join(folder, "sources.list"), source ?? "");
    writeFileSync(
      path.join(folder, "apt.conf"),
      aptConfiguration({ folder, ownSources: source === undefined, status }),
    );
    const attempt = (args) =>
      spawnSync("apt-get", ["-q", ...args], {
        cwd: folder,
        encoding: "utf8",
        env: { ...process.env, APT_CONFIG: path.join(folder, "apt.conf"), LC_ALL: "C" },
        maxBuffer: 64 * 1024 * 1024,
      });
    use({ folder, attempt });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The machine's Acquire settings (proxies, certificates, timeouts) without its hooks, and every folder in `folder`. */
function aptConfiguration({ folder, ownSources, status }) {
  const acquire = execFileSync("apt-config", ["dump", "Acquire"], { encoding: "utf8" });
  const inside = (name) => JSON.stringify(path.join(folder, name));
  return [
    acquire,
    `Dir::Etc::main "/dev/null";`,
    `Dir::Etc::parts ${inside("none")};`,
    ...(ownSources
      ? []
      : [`Dir::Etc::sourcelist ${inside("sources.list")};`, `Dir::Etc::sourceparts ${inside("none")};`]),
    `Dir::Etc::preferences "/dev/null";`,
    `Dir::Etc::preferencesparts ${inside("none")};`,
    `Dir::State ${inside("state")};`,
    `Dir::State::status "${status}";`,
    `Dir::Cache ${inside("cache")};`,
    `Dir::Log ${inside("none")};`,
    `APT::Sandbox::User "";`,
    `Acquire::AllowInsecureRepositories "false";`,
    `Acquire::AllowDowngradeToInsecureRepositories "false";`,
    `Acquire::Languages "none";`,
    `Acquire::PDiffs "false";`,
    `Acquire::Retries "2";`,
    `Acquire::http::Timeout "20";`,
    `Acquire::https::Timeout "20";`,
    "",
  ].join("\n");
}

/** apt calls gpgv, sqv or sq to check signatures; without one it fails late and unclearly. */
function requireVerifier() {
  if (!["gpgv", "sqv", "gpgv-sq"].some(isOnPath)) {
    throw new Error("apt has nothing to check signatures with: install the package gpgv (or sqv)");
  }
}

function unpackAll(folder, into) {
  const archives = readdirSync(folder).filter((name) => name.endsWith(".deb"));
  if (archives.length === 0) throw new Error("apt downloaded no package");
  mkdirSync(into, { recursive: true });
  for (const name of archives) execFileSync("dpkg-deb", ["-x", path.join(folder, name), into]);
}

function lastLines(text) {
  const lines = text.split("\n").filter((line) => /^(E|W): (?!Some index files)/.test(line));
  return lines.slice(0, 2).join("; ") || text.trim().slice(-300) || "apt-get failed without a word";
}

function isOnPath(program) {
  return (process.env.PATH ?? "")
    .split(path.delimiter)
    .some((folder) => folder !== "" && existsSync(path.join(folder, program)));
}
