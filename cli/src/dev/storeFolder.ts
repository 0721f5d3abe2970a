import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { CliFailure, exit } from "../failure.ts";
import { isFree } from "./ports.ts";

/** Where a project's runs, logs and all that NATS keeps lie between two starts. */
export interface StoreFolder extends Disposable {
  readonly folder: string;
  /** Somebody else who wants the folder learns from this port that we are there. */
  claim(port: number): void;
}

/** The folder of a project for what is made on its machine; it keeps itself out of git. */
export const ownFolder = ".sidestep";
const claimFile = "dev.json";

/** Opens it, empty when `isReset`. Throws CliFailure while another dev works with it. */
export async function openStoreFolder(
  project: string,
  given: string | undefined,
  isReset: boolean,
): Promise<StoreFolder> {
  const folder = path.resolve(given ?? path.join(project, ownFolder, "dev"));
  const claimed = path.join(folder, claimFile);
  await refuseWhenClaimed(folder, claimed);
  try {
    if (isReset) rmSync(folder, { recursive: true, force: true });
    mkdirSync(path.join(folder, "logs"), { recursive: true });
    const ignored = path.join(project, ownFolder, ".gitignore");
    if (given === undefined && !existsSync(ignored)) writeFileSync(ignored, "*\n");
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    throw new CliFailure(exit.error, what, folder, "name a folder that you may write to: --data-dir", error);
  }
  return {
    folder,
    claim: (port) => writeFileSync(claimed, JSON.stringify({ pid: process.pid, port })),
    [Symbol.dispose]: () => rmSync(claimed, { force: true }),
  };
}

async function refuseWhenClaimed(folder: string, claimed: string): Promise<void> {
  const { pid, port } = readClaim(claimed);
  // A number may be another program's by now; one that also listens where that dev did is it.
  if (pid === 0 || pid === process.pid || !isRunning(pid) || (await isFree(port))) return;
  throw new CliFailure(
    exit.error,
    `another sidestep dev works here: process ${pid}`,
    folder,
    "end it, or give this one a --data-dir of its own",
  );
}

function readClaim(file: string): { readonly pid: number; readonly port: number } {
  try {
    const read: unknown = JSON.parse(readFileSync(file, "utf8"));
    const fields = new Map(Object.entries(read ?? {}));
    return { pid: Number(fields.get("pid") ?? 0), port: Number(fields.get("port") ?? 0) };
  } catch {
    return { pid: 0, port: 0 };
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
