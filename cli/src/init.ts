import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { ownProtoFolder, schemaFile } from "./ownProto.ts";
import { firstFiles } from "./firstFiles.ts";

/** How `sidestep init` is asked to work. */
export interface InitOptions {
  /** Takes what is to be printed, one line or several without a last newline. */
  readonly out: (text: string) => void;
}

/**
 * Writes the option schema, a buf.yaml, a first workflow and a README into a folder, which is made when it isn't there. It overwrites
 * nothing: when one of the files exists, none is written. 0: done; 1: not.
 */
export async function init(folder: string, { out }: InitOptions): Promise<0 | 1> {
  const schema = await readFile(path.join(ownProtoFolder(), schemaFile), "utf8");
  const files = new Map([[`proto/${schemaFile}`, schema], ...firstFiles]);
  const existing = [...files.keys()].filter((file) => existsSync(path.join(folder, file)));
  if (existing.length > 0) {
    out(`nothing written: ${existing.join(", ")} ${existing.length === 1 ? "exists" : "exist"} already`);
    out(`Where: ${folder}`);
    out(
      "What next: name an empty folder. `sidestep check` needs no workflow.proto in your folder; add one only for your editor.",
    );
    return 1;
  }
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
  out(`\nNext: sidestep check ${folder}`);
  return 0;
}
