import { rm } from "node:fs/promises";
import path from "node:path";
import { repositoryRoot, runProgram } from "../support/program.ts";

/** The programs as they are shipped; leaving the scope removes them. */
export interface Bundles extends AsyncDisposable {
  /** To be run by its name. */
  readonly file: (program: "orchestrator" | "sidecar" | "sidestep") => string;
}

/** Builds them below the repository: from there the command finds buf. */
export async function buildBundles(): Promise<Bundles> {
  const folder = path.join(repositoryRoot, `.cache/bench-${process.pid}`);
  const dispose = (): Promise<void> => rm(folder, { recursive: true, force: true });
  const built = await runProgram({ name: "build", command: process.execPath, args: ["scripts/build.ts", folder] });
  if (built.code !== 0) {
    await dispose();
    throw new Error(`the build failed:\n${built.lines.join("\n")}`);
  }
  return { file: (program) => path.join(folder, `${program}.js`), [Symbol.asyncDispose]: dispose };
}
