// Installs the npm dependencies when they are missing or are not those of package-lock.json.
// Plain JavaScript for Node 18 and later, without a dependency: it runs before anything is installed.
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

/** The Node that runs our sources, from this repository's own install. */
export function pinnedNode(root) {
  return path.join(root, "node_modules", "node", "bin", "node");
}

/** Runs `npm ci` in `root` when what is installed differs from the lock file. Throws an Error that says what to do. */
export async function ensureDependencies({ root, say }) {
  const reason = staleness(root);
  if (reason === undefined) return;
  say(`dependencies: npm ci (${reason}; some 300 MB, once) …`);
  const started = Date.now();
  const heartbeat = setInterval(
    () => say(`dependencies: still at it after ${Math.round((Date.now() - started) / 1000)} s …`),
    15_000,
  );
  const code = await npm(root, ["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
  clearInterval(heartbeat);
  const left = code === 0 ? staleness(root) : `npm ci ended with code ${code}`;
  if (left !== undefined) {
    throw new Error(
      `The dependencies could not be installed: ${left}.\nWhat to do: read npm's own words above; npm needs its registry (npm config get registry), or a proxy (HTTPS_PROXY), and install scripts allowed for the package "node".`,
    );
  }
  say(`dependencies: installed in ${Math.round((Date.now() - started) / 1000)} s`);
}

/** Why the install is not that of the lock file, as half a sentence; undefined when it is. */
function staleness(root) {
  const installedFile = path.join(root, "node_modules", ".package-lock.json");
  if (!existsSync(installedFile)) return "nothing is installed yet";
  const wanted = JSON.parse(readFileSync(path.join(root, "package-lock.json"), "utf8")).packages;
  const installed = JSON.parse(readFileSync(installedFile, "utf8")).packages;
  for (const [name, { version, optional, link }] of Object.entries(wanted)) {
    if (!name.startsWith("node_modules/") || link) continue;
    if (installed[name] === undefined ? !optional : installed[name].version !== version) {
      return `${name.slice("node_modules/".length)} is not installed at ${version}`;
    }
  }
  return existsSync(pinnedNode(root)) ? undefined : "the Node of package.json is not installed";
}

function npm(root, args) {
  const own = process.env.npm_execpath;
  const [command, first] = own?.endsWith(".js") ? [process.execPath, [own]] : ["npm", []];
  return new Promise((resolve, reject) => {
    // npm's stdout goes to stderr: what a command prints on stdout stays its own.
    const child = spawn(command, [...first, ...args], { cwd: root, stdio: ["ignore", 2, 2] });
    child.once("error", (error) =>
      reject(new Error(`npm can't be run: ${error.message}. What to do: install Node with npm.`)),
    );
    child.once("exit", (code) => resolve(code ?? 1));
  });
}
