import { readdirSync, watch } from "node:fs";
import type { FSWatcher } from "node:fs";
import path from "node:path";

export interface FolderWatchOptions {
  /** Whether a change of this file, by its path below the folder, counts. */
  readonly isWanted: (file: string) => boolean;
  /** Something has changed, and nothing more since `quietMs`. */
  readonly changed: () => void;
  /** It can't be followed any more, with the reason. */
  readonly failed: (reason: string) => void;
}

/** An editor writes a file in several moves, and `git checkout` many files. */
const quietMs = 60;
const foldersMax = 10_000;

/** Follows the files of a folder and of all folders in it, but for hidden ones and node_modules: those hold no source of ours and many files. */
export function watchFolder(folder: string, { isWanted, changed, failed }: FolderWatchOptions): Disposable {
  const watchers = new Map<string, FSWatcher>();
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;
  const soon = (): void => {
    clearTimeout(timer);
    timer = setTimeout(changed, quietMs);
  };
  const leave = (below: string): void => {
    watchers.get(below)?.close();
    watchers.delete(below);
  };
  const follow = (below: string): void => {
    if (watchers.has(below) || isClosed) return;
    if (watchers.size >= foldersMax) return failed(`more than ${foldersMax} folders`);
    try {
      const watcher = watch(path.join(folder, below), (_, name) => {
        if (name === null) return soon();
        const file = path.join(below, name);
        if (isWanted(file)) soon();
        else if (isFollowed(name)) look(file);
      });
      watcher.on("error", () => leave(below));
      watchers.set(below, watcher);
    } catch (error) {
      // A folder that has gone again is no failure.
      if (isGone(error)) return;
      return failed(error instanceof Error ? error.message : String(error));
    }
    for (const entry of entriesOf(path.join(folder, below)) ?? []) {
      if (entry.isDirectory() && isFollowed(entry.name)) follow(path.join(below, entry.name));
    }
  };
  /** A folder may have come, with files in it, or gone. */
  const look = (below: string): void => {
    if (entriesOf(path.join(folder, below)) === undefined) return leave(below);
    if (watchers.has(below)) return;
    follow(below);
    soon();
  };
  follow(".");
  return {
    [Symbol.dispose]: () => {
      isClosed = true;
      clearTimeout(timer);
      for (const below of watchers.keys()) leave(below);
    },
  };
}

function isFollowed(name: string): boolean {
  return !name.startsWith(".") && name !== "node_modules";
}

/** Undefined: there is no such folder. */
function entriesOf(folder: string): readonly { readonly name: string; isDirectory(): boolean }[] | undefined {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return undefined;
  }
}

function isGone(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
}
