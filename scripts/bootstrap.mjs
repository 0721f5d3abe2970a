// What stands before every npm script: makes a fresh clone ready for the command, then runs it under the Node of package.json.
// Plain JavaScript for Node 18 and later, without a dependency: it runs before anything is installed.
//   node scripts/bootstrap.mjs <command> [argument…]
import { spawn } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { ensureBundles } from "./bundles.mjs";
import { ensureChromium } from "./chromium.mjs";
import { ensureDependencies, pinnedNode } from "./dependencies.mjs";
import { ensureGeneratedCode } from "./generatedCode.mjs";
import { ensureNatsServer } from "../bin/natsServer.mjs";
import { ensurePostgres } from "./postgres.mjs";
import { ensurePromtool } from "./promtool.mjs";
import { ensurePython } from "./pythonGrpc.mjs";
import { ensureRuby } from "./rubyGrpc.mjs";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const say = (line) => process.stderr.write(`${line}\n`);

/** What each command runs, and what it needs beside dependencies and generated code. `wants`: goes on without. */
const commands = {
  test: {
    run: ["scripts/gate.ts", "test"],
    wants: ["nats-server", "python", "ruby", "postgres", "chromium", "promtool"],
  },
  check: { run: ["scripts/gate.ts", "check"] },
  lint: { run: ["scripts/gate.ts", "lint"] },
  typecheck: { run: ["scripts/gate.ts", "types"] },
  format: { run: ["node_modules/oxfmt/bin/oxfmt", "--write"] },
  "format:check": { run: ["scripts/gate.ts", "format"] },
  generate: {},
  build: { run: ["scripts/build.ts"] },
  "build:testing": { run: ["scripts/testingPackage.ts"] },
  baseline: { run: ["scripts/baseline.ts"] },
  demo: { run: ["examples/order/demo.ts"], needs: ["nats-server", "python", "bundles"] },
  bench: { run: ["test/bench/main.ts"], needs: ["nats-server"] },
  chaos: { run: ["test/chaos/main.ts"], needs: ["nats-server", "python"] },
  cluster: { run: ["test/cluster/main.ts"], needs: ["nats-server", "python"] },
  pictures: { run: ["test/console/pictures.ts"], needs: ["nats-server", "python", "chromium"] },
  sim: { run: ["test/sim/main.ts"] },
  site: { run: ["scripts/site.ts"] },
};

async function main(name, args) {
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) {
    say(`usage: node scripts/bootstrap.mjs <${Object.keys(commands).join("|")}> [argument…]`);
    return 2;
  }
  await ensureDependencies({ root, say });
  if (name === "generate") rmSync(path.join(root, "proto", "gen", ".stamp"), { force: true });
  ensureGeneratedCode({ root, say });
  const environment = {};
  for (const need of command.needs ?? []) Object.assign(environment, await provide[need]());
  const missing = [];
  for (const want of command.wants ?? []) {
    try {
      Object.assign(environment, await provide[want]());
    } catch (error) {
      say(`\n${error.message}\n`);
      missing.push(want);
    }
  }
  if (command.run === undefined) return 0;
  return run(command.run, args, { ...environment, SIDESTEP_TEST_WITHOUT: missing.join(",") });
}

/** How each need is met, and the variables that tell the command where. */
const provide = {
  "nats-server": async () => ({ NATS_SERVER: await natsServer() }),
  python: () => ({ SIDESTEP_PYTHON: ensurePython({ say }) }),
  ruby: () => ({ SIDESTEP_RUBY: ensureRuby({ say }) }),
  chromium: () => ({ SIDESTEP_CHROMIUM: ensureChromium({ say }) }),
  postgres: () => ({ SIDESTEP_POSTGRES: ensurePostgres({ say }).bin }),
  promtool: () => ({ SIDESTEP_PROMTOOL: ensurePromtool({ say }) }),
  bundles: () => ({ SIDESTEP_BUNDLES: ensureBundles({ root, say }) }),
};

/** Node 24 has a fetch that knows proxies, so a download is left to it; what is there already is found at once either way. */
function natsServer() {
  return process.env.HTTPS_PROXY || process.env.https_proxy
    ? inPinnedNode("scripts/natsServer.mjs")
    : ensureNatsServer({ say });
}

function inPinnedNode(file) {
  return new Promise((resolve, reject) => {
    const child = spawn(pinnedNode(root), [path.join(root, file)], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, NODE_USE_ENV_PROXY: "1" },
    });
    let stdout = "";
    child.stdout.on("data", (chunk) => (stdout += chunk));
    child.once("error", reject);
    child.once("close", (code) =>
      code === 0 ? resolve(stdout.trim()) : reject(new Error("No nats-server: see above.")),
    );
  });
}

function run(command, args, environment) {
  const [file, ...first] = command;
  if (!existsSync(path.join(root, file))) throw new Error(`${file} is missing: this clone is not complete.`);
  const bin = path.join(root, "node_modules", ".bin");
  const child = spawn(pinnedNode(root), [path.join(root, file), ...first, ...args], {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, ...environment, PATH: `${bin}${path.delimiter}${process.env.PATH}` },
  });
  // A terminal sends Ctrl-C to both; what only this one gets is passed on, and the child decides when it is over.
  process.on("SIGINT", () => undefined);
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve(code ?? 128 + (os.constants.signals[signal] ?? 0)));
  });
}

try {
  process.exitCode = await main(process.argv[2] ?? "", process.argv.slice(3));
} catch (error) {
  say(`\n${error.message}`);
  process.exitCode = 1;
}
