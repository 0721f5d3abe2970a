import { cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";

/** Machines for which this Node is on npm, under the names of process.platform and process.arch; elsewhere the one that runs the command has to do. */
const machines = ["linux-x64", "linux-arm64"];
/** What the launcher is made of. */
const launcher = ["sidestep.js", "nodeFlags.mjs", "sources.mjs"];

/** Makes the folder that is published as `sidestep`, ready for `npm pack`: bundles of the folder given, the launcher, contracts and examples. ADR 35 says why so. */
export function makePackage(bundles: string): void {
  const folder = path.join(bundles, "package");
  for (const file of launcher) copy(path.join("bin", file), path.join(folder, "bin", file));
  for (const name of readdirSync(bundles).filter((one) => one !== path.basename(folder) && !one.endsWith(".map")))
    cpSync(path.join(bundles, name), path.join(folder, "dist", name), {
      recursive: true,
      filter: (file) => !file.endsWith(".map"),
    });
  cpSync("proto/sidestep/v1", path.join(folder, "proto/sidestep/v1"), { recursive: true });
  cpSync("examples/projects", path.join(folder, "examples/projects"), { recursive: true });
  for (const file of ["LICENSE", "README.md"]) copy(file, path.join(folder, file));
  writeFileSync(path.join(folder, "package.json"), `${JSON.stringify(manifest(), undefined, 2)}\n`);
}

function manifest() {
  const own = fieldsOf("package.json");
  const dependencies = new Map(
    Object.entries(own.get("dependencies") ?? {}).map(([name, text]) => [name, String(text)]),
  );
  const node = dependencies.get("node") ?? "";
  return {
    name: "sidestep",
    version: own.get("version"),
    description: own.get("description"),
    license: own.get("license"),
    type: "module",
    bin: { sidestep: "bin/sidestep.js" },
    files: ["bin", "dist", "proto", "examples"],
    engines: { node: ">=18" },
    // All else is in the bundles.
    dependencies: { "@bufbuild/buf": dependencies.get("@bufbuild/buf") ?? "" },
    // npm installs the one that fits the machine.
    optionalDependencies: Object.fromEntries(machines.map((machine) => [`node-${machine}`, node])),
  };
}

function fieldsOf(file: string): ReadonlyMap<string, unknown> {
  const read: unknown = JSON.parse(readFileSync(file, "utf8"));
  return new Map(Object.entries(read ?? {}));
}

function copy(from: string, to: string): void {
  mkdirSync(path.dirname(to), { recursive: true });
  cpSync(from, to);
}
