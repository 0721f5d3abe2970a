import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { exampleFiles } from "./exampleFiles.ts";
import type { ExampleName } from "./exampleNames.ts";
import { ownProtoFolder, schemaFile } from "./ownProto.ts";
import { firstFiles, firstTests } from "./firstFiles.ts";
import { lacksBuild, projectPackage } from "./projectPackage.ts";

/** How `sidestep init` is asked to work. */
export interface InitOptions {
  /** A whole project with services and tests; undefined: a first workflow alone. */
  readonly example?: ExampleName | undefined;
  /** Takes what is to be printed, one line or several without a last newline. */
  readonly out: (text: string) => void;
}

/** What a project has of its own already is as good. */
const leftAlone: ReadonlySet<string> = new Set([".gitignore"]);

/**
 * Writes the option schema, a buf.yaml, a first workflow or an example, and a README into a folder, which is made when it isn't there. It overwrites
 * nothing: when one of the files exists, none is written. 0: done; 1: not.
 */
export async function init(folder: string, { example, out }: InitOptions): Promise<0 | 1> {
  const schema = await readFile(path.join(ownProtoFolder(), schemaFile), "utf8");
  const own = example === undefined ? firstFilesIn(folder) : await exampleFiles(example);
  const files = new Map([[`proto/${schemaFile}`, schema], ...own]);
  const existing = [...files.keys()].filter((file) => existsSync(path.join(folder, file)));
  const inTheWay = existing.filter((file) => !leftAlone.has(file));
  if (inTheWay.length > 0) {
    out(`nothing written: ${inTheWay.join(", ")} ${inTheWay.length === 1 ? "exists" : "exist"} already`);
    out(`Where: ${folder}`);
    out(
      "What next: name an empty folder. `sidestep check` needs no workflow.proto in your folder; add one only for your editor.",
    );
    return 1;
  }
  for (const file of existing) files.delete(file);
  try {
    for (const [file, text] of files) {
      await mkdir(path.dirname(path.join(folder, file)), { recursive: true });
      await writeFile(path.join(folder, file), text, { flag: "wx" });
    }
  } catch (error) {
    out(`can't write: ${error instanceof Error ? error.message : String(error)}`);
    out(`Where: ${folder}`);
    out("What next: choose a folder that you may write to");
    return 1;
  }
  for (const file of files.keys()) out(`wrote ${path.join(folder, file)}`);
  const build = files.has("package.json") ? lacksBuild() : undefined;
  if (build !== undefined) out(`\nBefore npm install: ${build}`);
  const next = example === undefined ? `sidestep dev ${folder}` : `cd ${folder} && npm install && npm test`;
  out(`\nNext: ${next}`);
  return 0;
}

/** A package that is there already is the user's, and has tests of its own. */
function firstFilesIn(folder: string): ReadonlyMap<string, string> {
  if (existsSync(path.join(folder, "package.json"))) return firstFiles;
  const name = path
    .basename(path.resolve(folder))
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, "-")
    .replaceAll(/^-+|-+$/g, "");
  const manifest = projectPackage(name === "" ? "workflows" : name, { isServed: false });
  return new Map([...firstFiles, ["package.json", manifest], ...firstTests]);
}
