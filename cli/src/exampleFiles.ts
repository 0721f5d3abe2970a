import { existsSync } from "node:fs";
import { readFile, readdir } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { ExampleName } from "./exampleNames.ts";
import { bufConfiguration, ignored } from "./firstFiles.ts";
import { projectPackage } from "./projectPackage.ts";

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
    ["package.json", projectPackage(`${name}-example`, { isServed: true })],
    ...files.map((file, at) => [file, texts[at] ?? ""] as const),
  ]);
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
