import { cpSync, existsSync, readdirSync, rmSync, statSync } from "node:fs";
import path from "node:path";
import { build } from "vite";

const home = path.resolve("console");
/** Where orchestrators that run from sources find it. */
const ofSources = path.join(home, "dist");

/** Builds the console to console/ in the folder, where bundled orchestrators find it. Gives the files that went into it. */
export async function buildConsole(outdir: string): Promise<readonly string[]> {
  const outDir = path.resolve(outdir, "console");
  const configFile = path.join(home, "vite.config.ts");
  // Under a test's own NODE_ENV React would come with all that it has for developers.
  process.env["NODE_ENV"] = "production";
  const built = await build({ root: home, configFile, logLevel: "error", build: { outDir, emptyOutDir: true } });
  const outputs = Array.isArray(built) ? built : "output" in built ? [built] : [];
  return outputs
    .flatMap(({ output }) => output)
    .flatMap((file) => (file.type === "chunk" ? file.moduleIds : []))
    .filter((file) => path.isAbsolute(file))
    .map((file) => path.relative(process.cwd(), file));
}

/** Puts a console that was built where orchestrators that run from sources find it. */
export function placeConsole(outdir: string): void {
  rmSync(ofSources, { recursive: true, force: true });
  cpSync(path.resolve(outdir, "console"), ofSources, { recursive: true });
}

/** There is one that is newer than its sources; builds it when there is none. */
export async function ensureConsole(): Promise<void> {
  const page = path.join(ofSources, "index.html");
  const newest = Math.max(
    ...["src", "public", "index.html", "vite.config.ts"].map((it) => changedAt(path.join(home, it))),
  );
  if (existsSync(page) && statSync(page).mtimeMs > newest) return;
  const outdir = path.resolve(".cache", `console-${process.pid}`);
  await buildConsole(outdir);
  placeConsole(outdir);
  rmSync(outdir, { recursive: true, force: true });
}

function changedAt(file: string): number {
  const { mtimeMs } = statSync(file);
  if (!statSync(file).isDirectory()) return mtimeMs;
  return Math.max(mtimeMs, ...readdirSync(file).map((name) => changedAt(path.join(file, name))));
}
