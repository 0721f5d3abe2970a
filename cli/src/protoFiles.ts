import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, realpathSync, statSync } from "node:fs";
import type { Stats } from "node:fs";
import path from "node:path";

const configFiles: ReadonlySet<string> = new Set(["buf.yaml", "buf.lock", "buf.work.yaml", "buf.mod"]);
const filesMax = 20_000;

/**
 * Copies all that buf needs of a folder, keeping its structure: .proto files and buf's own. Hidden folders are left out, and node_modules
 * too unless the folder's buf.yaml names it. Throws when there are more than 20,000 files. In one go: many small files cost more to wait for
 * than to copy. Answers what it has copied.
 */
export function copyProtoFiles(from: string, to: string): readonly string[] {
  const copied: string[] = [];
  const withModules = namesNodeModules(from);
  const visited = new Set<string>();
  let count = 0;
  const copyFolder = (folder: string): void => {
    const real = realpathSync(path.join(from, folder));
    if (visited.has(real)) return;
    visited.add(real);
    let isMade = false;
    for (const entry of readdirSync(path.join(from, folder), { withFileTypes: true })) {
      const name = path.join(folder, entry.name);
      if (entry.name.startsWith(".") || (entry.name === "node_modules" && !withModules)) continue;
      const kind = entry.isSymbolicLink() ? behindLink(path.join(from, name)) : entry;
      if (kind?.isDirectory() === true) copyFolder(name);
      else if (kind?.isFile() === true && (entry.name.endsWith(".proto") || configFiles.has(entry.name))) {
        count++;
        if (count > filesMax) throw new Error(`more than ${filesMax} .proto files below ${from}`);
        if (!isMade) mkdirSync(path.join(to, folder), { recursive: true });
        isMade = true;
        copyFileSync(path.join(from, name), path.join(to, name));
        copied.push(name);
      }
    }
  };
  copyFolder(".");
  return copied;
}

/** Undefined: it leads nowhere, or round in a circle. */
function behindLink(link: string): Stats | undefined {
  try {
    return statSync(link);
  } catch {
    return undefined;
  }
}

function namesNodeModules(folder: string): boolean {
  const configured = path.join(folder, "buf.yaml");
  return existsSync(configured) && readFileSync(configured, "utf8").includes("node_modules");
}
