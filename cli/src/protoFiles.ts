import { copyFile, mkdir, readFile, readdir, realpath, stat } from "node:fs/promises";
import path from "node:path";

const configFiles: ReadonlySet<string> = new Set(["buf.yaml", "buf.lock", "buf.work.yaml", "buf.mod"]);
const filesMax = 20_000;

/**
 * Copies all that buf needs of a folder, keeping its structure: .proto files and buf's own. Hidden folders are left out, and node_modules
 * too unless the folder's buf.yaml names it. Throws when there are more than 20,000 files.
 */
export async function copyProtoFiles(from: string, to: string): Promise<void> {
  const withModules = await namesNodeModules(from);
  const visited = new Set<string>();
  let count = 0;
  const copyFolder = async (folder: string): Promise<void> => {
    const real = await realpath(path.join(from, folder));
    if (visited.has(real)) return;
    visited.add(real);
    let isMade = false;
    for (const entry of await readdir(path.join(from, folder), { withFileTypes: true })) {
      const name = path.join(folder, entry.name);
      if (entry.name.startsWith(".") || (entry.name === "node_modules" && !withModules)) continue;
      const kind = entry.isSymbolicLink() ? await stat(path.join(from, name)).catch(() => undefined) : entry;
      if (kind?.isDirectory() === true) await copyFolder(name);
      else if (kind?.isFile() === true && (entry.name.endsWith(".proto") || configFiles.has(entry.name))) {
        count++;
        if (count > filesMax) throw new Error(`more than ${filesMax} .proto files below ${from}`);
        if (!isMade) await mkdir(path.join(to, folder), { recursive: true });
        isMade = true;
        await copyFile(path.join(from, name), path.join(to, name));
      }
    }
  };
  await copyFolder(".");
}

async function namesNodeModules(folder: string): Promise<boolean> {
  const configured = await readFile(path.join(folder, "buf.yaml"), "utf8").catch(() => "");
  return configured.includes("node_modules");
}
