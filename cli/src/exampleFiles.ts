import { existsSync } from "node:fs";
import { readFile, readdir } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { version } from "../../runtime/src/version.ts";
import type { ExampleName } from "./exampleNames.ts";
import { bufConfiguration, ignored } from "./firstFiles.ts";

/** What the services and tests of examples stand on, as it was tried. */
const grpc = { "@grpc/grpc-js": "^1.14.7", "@grpc/proto-loader": "^0.8.0" };
const vitest = "^5.1.1";

/** The files of an example by their paths, the option schema left out. Throws when this installation has none. */
export async function exampleFiles(name: ExampleName): Promise<ReadonlyMap<string, string>> {
  const folder = path.join(examplesFolder(), name);
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .toSorted();
  const texts = await Promise.all(files.map((file) => readFile(path.join(folder, file), "utf8")));
  return new Map([
    [".gitignore", ignored],
    ["buf.yaml", bufConfiguration],
    ["package.json", packageText(name)],
    ...files.map((file, at) => [file, texts[at] ?? ""] as const),
  ]);
}

function packageText(name: ExampleName): string {
  const manifest = {
    name: `${name}-example`,
    private: true,
    type: "module",
    scripts: { dev: "sidestep dev", check: "sidestep check", test: "vitest run" },
    dependencies: grpc,
    devDependencies: { "@sidestep/testing": `^${version}`, sidestep: `^${version}`, vitest },
  };
  return `${JSON.stringify(manifest, undefined, 2)}\n`;
}

/** Found upwards from this file: it runs from sources and from a bundle. */
function examplesFolder(): string {
  const from = path.dirname(fileURLToPath(import.meta.url));
  for (let folder = from; ; folder = path.dirname(folder)) {
    const candidate = path.join(folder, "examples", "projects");
    if (existsSync(candidate)) return candidate;
    if (folder === path.dirname(folder))
      throw new Error(`no examples/projects at or above ${from}: install Sidestep again`);
  }
}
