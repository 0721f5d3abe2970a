#!/usr/bin/env node
// The `sidestep` command: runs the command line under the Node that this package was made for, whatever Node started it.
// Plain JavaScript for Node 18 and later. From a clone it runs the sources, unless a bundle in dist/ is newer.
import { spawn } from "node:child_process";
import { existsSync, readFileSync, realpathSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { nodeFlags } from "./nodeFlags.mjs";
import { newestChange } from "./sources.mjs";

const root = path.dirname(path.dirname(realpathSync(fileURLToPath(import.meta.url))));
const nodeMajorNeeded = 24;

const node = findNode();
const entry = findEntry();
if (node === undefined || entry === undefined) {
  const what =
    node === undefined ? `Node ${nodeMajorNeeded} is not installed with it` : "it has neither sources nor a bundle";
  process.stderr.write(`sidestep can't start: ${what}.\nWhere: ${root}\nWhat next: run npm install there.\n`);
  process.exit(1);
}
runUnder(node, [...flagsFor(process.argv[2] ?? ""), entry, ...process.argv.slice(2)]);

function findNode() {
  // The package for this machine alone, which needs no script to install itself; or, in a clone, the one that chooses among them.
  for (const name of [`node-${process.platform}-${process.arch}`, "node"]) {
    try {
      const found = createRequire(import.meta.url).resolve(`${name}/package.json`);
      const pinned = path.join(path.dirname(found), "bin", "node");
      // In another project's tree the package of that name may be an older one.
      if (existsSync(pinned) && majorOf(JSON.parse(readFileSync(found, "utf8")).version) >= nodeMajorNeeded)
        return pinned;
    } catch {
      // Not installed: another one, or the Node that runs this, may do.
    }
  }
  return majorOf(process.versions.node) >= nodeMajorNeeded ? process.execPath : undefined;
}

function majorOf(version) {
  return Number(version.split(".")[0]);
}

/** What NODE_OPTIONS says of the same thing counts more. */
function flagsFor(program) {
  const flags = Object.hasOwn(nodeFlags, program) ? nodeFlags[program] : [];
  const told = process.env.NODE_OPTIONS ?? "";
  return flags.filter((flag) => !told.includes(flag.split("=")[0]));
}

function findEntry() {
  const bundle = path.join(root, "dist", "sidestep.js");
  const source = path.join(root, "cli", "src", "main.ts");
  if (!existsSync(source)) return existsSync(bundle) ? bundle : undefined;
  return existsSync(bundle) && statSync(bundle).mtimeMs > newestChange(root) ? bundle : source;
}

function runUnder(program, args) {
  // Over the channel the child learns of the end of this one, so that not even a kill -9 leaves it behind.
  const child = spawn(program, args, { stdio: ["inherit", "inherit", "inherit", "ipc"] });
  // A terminal sends Ctrl-C to both; only where there is none has it to be passed on.
  process.on("SIGINT", () => process.stdin.isTTY || child.kill("SIGINT"));
  for (const signal of ["SIGTERM", "SIGHUP", "SIGUSR2"]) process.on(signal, () => child.kill(signal));
  child.once("error", (error) => {
    process.stderr.write(`sidestep can't start ${program}: ${error.message}\n`);
    process.exitCode = 1;
  });
  child.once("exit", (code, signal) => {
    if (signal === null) {
      process.exitCode = code;
      return;
    }
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
