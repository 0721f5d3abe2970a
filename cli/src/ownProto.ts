import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** The path by which every definition imports the options. */
export const schemaFile = "sidestep/v1/workflow.proto";

/** The folder of our own proto/, found upwards from this file: it runs from sources and from a bundle. */
export function ownProtoFolder(from = path.dirname(fileURLToPath(import.meta.url))): string {
  for (let folder = from; ; folder = path.dirname(folder)) {
    const candidate = path.join(folder, "proto");
    if (existsSync(path.join(candidate, schemaFile))) return candidate;
    if (folder === path.dirname(folder))
      throw new Error(`no proto/${schemaFile} at or above ${from}: install Sidestep again`);
  }
}
