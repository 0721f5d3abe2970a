import { execFile } from "node:child_process";
import { readFile, mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { repositoryRoot } from "./program.ts";

/** The image that `buf build` makes of a module of this repository: a google.protobuf.FileDescriptorSet with its imports. */
export async function buildImage(module: string): Promise<Uint8Array> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "sidestep-image-"));
  try {
    const file = path.join(folder, "image.binpb");
    const buf = path.join(repositoryRoot, "node_modules/.bin/buf");
    await promisify(execFile)(buf, ["build", module, "--as-file-descriptor-set", "-o", file], { cwd: repositoryRoot });
    return await readFile(file);
  } finally {
    await rm(folder, { recursive: true });
  }
}
