// Builds @sidestep/testing into testing/dist, or the folder given: one module, the declarations of what it exports, and the schema of the options.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { build } from "esbuild";

const door = "testing/src/door.ts";
const schema = "proto/sidestep/v1/workflow.proto";
const outdir = path.resolve(process.argv[2] ?? "testing/dist");

rmSync(outdir, { recursive: true, force: true });
await build({
  entryPoints: { testing: door },
  outdir,
  bundle: true,
  platform: "node",
  target: "node20",
  format: "esm",
  external: ["@bufbuild/*"],
  // What it takes in of CommonJS asks for modules of Node by `require`.
  banner: { js: `const require = process.getBuiltinModule("node:module").createRequire(import.meta.url);` },
  legalComments: "none",
  logLevel: "warning",
});
declare();
mkdirSync(path.dirname(path.join(outdir, schema)), { recursive: true });
cpSync(schema, path.join(outdir, schema));

/** The compiler declares all that is behind the door; what users can see of it is copied. */
function declare(): void {
  const folder = mkdtempSync(path.join(tmpdir(), "sidestep-declarations-"));
  try {
    const config = {
      extends: path.resolve("tsconfig.json"),
      compilerOptions: {
        noEmit: false,
        declaration: true,
        emitDeclarationOnly: true,
        outDir: folder,
        rootDir: process.cwd(),
      },
      include: [path.resolve(door)],
    };
    const configFile = path.join(folder, "tsconfig.json");
    writeFileSync(configFile, JSON.stringify(config));
    const compiler = path.resolve("node_modules/typescript/bin/tsc");
    // Its types are found from here.
    execFileSync(process.execPath, [compiler, "-p", configFile, "--typeRoots", path.resolve("node_modules/@types")], {
      stdio: "inherit",
    });
    const from = path.join(folder, path.dirname(door));
    for (const file of reachable(path.join(from, "door.d.ts"))) {
      const target = path.join(outdir, path.relative(from, file));
      if (path.relative(outdir, target).startsWith("..")) throw new Error(`${file} would show what is inside`);
      mkdirSync(path.dirname(target), { recursive: true });
      writeFileSync(target, readFileSync(file, "utf8").replaceAll(/(from "\.[^"]+)\.ts"/g, '$1.js"'));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A declaration file and all that it imports of ours. */
function reachable(first: string): ReadonlySet<string> {
  const found = new Set([first]);
  for (const file of found) {
    for (const [, name = ""] of readFileSync(file, "utf8").matchAll(/from "(\.[^"]+)"/g)) {
      const imported = path.join(path.dirname(file), name.replace(/\.[jt]s$/, ".d.ts"));
      if (!existsSync(imported)) throw new Error(`${file} imports ${name}, which is not declared`);
      found.add(imported);
    }
  }
  return found;
}
