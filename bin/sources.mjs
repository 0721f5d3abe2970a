import { readdirSync, statSync } from "node:fs";
import path from "node:path";

/** What the bundles are made of. */
const folders = [
  "cli/src",
  "orchestrator/src",
  "sidecar/src",
  "runtime/src",
  "console/src",
  "console/public",
  "proto",
  "bin",
  "scripts/bundle",
];

/** When the newest file of the sources below `root` was changed, as mtimeMs says it. */
export function newestChange(root) {
  return Math.max(
    ...folders.flatMap((folder) => filesBelow(path.join(root, folder)).map((file) => statSync(file).mtimeMs)),
  );
}

function filesBelow(folder) {
  let entries;
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
  return entries.flatMap((found) => {
    const file = path.join(folder, found.name);
    return found.isDirectory() ? filesBelow(file) : [file];
  });
}
