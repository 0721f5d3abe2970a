import { cpSync, rmSync } from "node:fs";
import path from "node:path";
import { build } from "vite";

/**
 * Builds the console to console/dist, where orchestrators that run from sources find it, and copies it to console/ in the folder, where
 * bundled ones do. Gives the files that went into it.
 */
export async function buildConsole(outdir: string): Promise<readonly string[]> {
  const root = path.resolve("console");
  const built = await build({ root, configFile: path.join(root, "vite.config.ts"), logLevel: "error" });
  const into = path.join(outdir, "console");
  rmSync(into, { recursive: true, force: true });
  cpSync(path.join(root, "dist"), into, { recursive: true });
  const outputs = Array.isArray(built) ? built : "output" in built ? [built] : [];
  return outputs
    .flatMap(({ output }) => output)
    .flatMap((file) => (file.type === "chunk" ? file.moduleIds : []))
    .filter((file) => path.isAbsolute(file))
    .map((file) => path.relative(process.cwd(), file));
}
