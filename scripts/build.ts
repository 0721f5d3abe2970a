// Bundles each program of ours into one file of dist/, or of the folder given, and sees that each starts. What a command of `sidestep` loads
// only when it is given lies beside it in dist/parts/.
import { execFileSync } from "node:child_process";
import { existsSync, rmSync, statSync } from "node:fs";
import { build } from "esbuild";
import type { BuildOptions } from "esbuild";

const servers: Readonly<Record<string, string>> = {
  orchestrator: "orchestrator/src/main.ts",
  sidecar: "sidecar/src/main.ts",
};
const command: Readonly<Record<string, string>> = { sidestep: "cli/src/main.ts" };

const programs = { ...servers, ...command };
const missing = Object.values(programs).filter((entry) => !existsSync(entry));
if (missing.length > 0) throw new Error(`nothing to bundle at ${missing.join(", ")}`);

const outdir = process.argv[2] ?? "dist";
rmSync(outdir, { recursive: true, force: true });
const options: BuildOptions = {
  outdir,
  bundle: true,
  platform: "node",
  target: "node24",
  format: "esm",
  sourcemap: "linked",
  legalComments: "external",
  // Its ECMAScript form loads grpc-js at run time through a `require` that no bundler sees.
  alias: {
    "@opentelemetry/otlp-grpc-exporter-base": "./node_modules/@opentelemetry/otlp-grpc-exporter-base/dist/index.cjs",
  },
  logLevel: "warning",
  // grpc-js is CommonJS and requires Node's own modules by name.
  banner: {
    js: 'import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);',
  },
};
await build({ ...options, entryPoints: servers });
await build({ ...options, entryPoints: command, splitting: true, chunkNames: "parts/[name]-[hash]" });

for (const name of Object.keys(programs)) {
  const file = `${outdir}/${name}.js`;
  execFileSync(process.execPath, [file, "--help"], { stdio: ["ignore", "ignore", "inherit"], timeout: 20_000 });
  process.stdout.write(`${file} ${(statSync(file).size / 1024 / 1024).toFixed(2)} MiB, starts\n`);
}
