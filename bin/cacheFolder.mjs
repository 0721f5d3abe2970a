// Where what is fetched once per machine lies. Plain JavaScript for Node 18 and later, without a dependency.
import { accessSync, constants, mkdirSync, statSync } from "node:fs";
import os from "node:os";
import path from "node:path";

/** `${XDG_CACHE_HOME:-~/.cache}/sidestep/<name>`, made when missing; below the temporary folder when home can't be written. */
export function cacheFolder(name) {
  const home = process.env.XDG_CACHE_HOME || path.join(process.env.HOME || os.userInfo().homedir, ".cache");
  for (const base of [home, path.join(os.tmpdir(), `sidestep-cache-${os.userInfo().uid}`)]) {
    const folder = path.join(base, "sidestep", name);
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      accessSync(folder, constants.W_OK);
      // What lies there is run: below a folder that everybody can write, it must be ours.
      if ([base, folder].every((it) => statSync(it).uid === os.userInfo().uid)) return folder;
    } catch {
      // The next base is tried; the last one failing is told below.
    }
  }
  throw new Error(`no folder for caches can be written: set XDG_CACHE_HOME to one that can (tried ${home})`);
}
