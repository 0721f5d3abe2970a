// Bundles each program of ours into one file of dist/, or of the folder given, and sees that each starts. What a command of `sidestep` loads
// only when it is given lies beside it in dist/parts/; the console in dist/console/; what is
// published in dist/package/.
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, rmSync, statSync, writeFileSync } from "node:fs";
import { build } from "esbuild";
import type { BuildOptions, Metafile } from "esbuild";
import { nodeFlags } from "../bin/nodeFlags.mjs";
import { builtinsOfParts, builtinsWithoutImport } from "./bundle/builtins.ts";
import { beside, filesBeside } from "./bundle/beside.ts";
import { buildConsole, placeConsole } from "./bundle/console.ts";
import { leftOut } from "./bundle/leftOut.ts";
import { makePackage } from "./bundle/package.ts";
import { noticesOf } from "./bundle/notices.ts";
import { pureClients } from "./bundle/pureClients.ts";

const servers = { orchestrator: "orchestrator/src/main.ts", sidecar: "sidecar/src/main.ts" } as const;
const thread = "orchestrator/src/sql/sqliteWorker.ts";
const command = { sidestep: "cli/src/main.ts" } as const;

const programs = { ...servers, ...command };
const missing = [...Object.values(programs), thread].filter((entry) => !existsSync(entry));
if (missing.length > 0) throw new Error(`nothing to bundle at ${missing.join(", ")}`);

const outdir = process.argv[2] ?? "dist";
rmSync(outdir, { recursive: true, force: true });

/** A program that is run by its name gets the flags it was measured with. */
const interpreter = (flags: readonly string[]): string => `#!/usr/bin/env -S ${["node", ...flags].join(" ")}\n`;
/** grpc-js is CommonJS and requires Node's own modules by name. */
const requireOfModule = `const require = process.getBuiltinModule("node:module").createRequire(import.meta.url);`;
const options = {
  outdir,
  bundle: true,
  platform: "node",
  target: "node24",
  format: "esm",
  minify: true,
  sourcemap: "linked",
  legalComments: "none",
  metafile: true,
  plugins: [builtinsWithoutImport, leftOut],
  // Its ECMAScript form loads grpc-js at run time through a `require` that no bundler sees.
  alias: {
    "@opentelemetry/otlp-grpc-exporter-base": "./node_modules/@opentelemetry/otlp-grpc-exporter-base/dist/index.cjs",
  },
  logLevel: "warning",
} satisfies BuildOptions;

const made: Metafile[] = [];
for (const name of ["orchestrator", "sidecar"] as const) {
  const banner = { js: `${interpreter(nodeFlags[name])}${requireOfModule}` };
  const plugins = [...options.plugins, beside, pureClients];
  made.push((await build({ ...options, plugins, banner, entryPoints: { [name]: servers[name] } })).metafile);
}
// What they load only when it is needed.
const files = Object.fromEntries(Object.entries(filesBeside).map(([source, name]) => [name, source]));
made.push((await build({ ...options, banner: { js: requireOfModule }, entryPoints: files })).metafile);
// The thread of SQLite, beside whatever starts it.
const threads = { "sqlite-worker": thread, "parts/sqlite-worker": thread };
made.push((await build({ ...options, banner: { js: requireOfModule }, entryPoints: threads })).metafile);
const banner = { js: `${interpreter([])}${requireOfModule}` };
const parts = { splitting: true, chunkNames: "parts/[name]-[hash]", plugins: [builtinsOfParts, leftOut] };
made.push((await build({ ...options, ...parts, banner, entryPoints: command })).metafile);
// The console, when it was built before: the orchestrator serves what lies beside it.
if (existsSync("console/dist/index.html")) cpSync("console/dist", `${outdir}/console`, { recursive: true });
const ofConsole = await buildConsole(outdir);
if (process.argv[2] === undefined) placeConsole(outdir);
writeFileSync(`${outdir}/LICENSES.txt`, noticesOf([...made.flatMap((one) => Object.keys(one.inputs)), ...ofConsole]));
// Run by name they are modules wherever they lie.
writeFileSync(`${outdir}/package.json`, '{ "type": "module" }\n');

makePackage(outdir);

for (const name of Object.keys(programs)) {
  const file = `${outdir}/${name}.js`;
  chmodSync(file, 0o755);
  execFileSync(process.execPath, [file, "--help"], { stdio: ["ignore", "ignore", "inherit"], timeout: 20_000 });
  process.stdout.write(`${file} ${(statSync(file).size / 1_000_000).toFixed(2)} MB, starts\n`);
}
