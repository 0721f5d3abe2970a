import { existsSync, statSync } from "node:fs";
import path from "node:path";

/** What npm, pnpm and yarn write when they have installed. */
const marks = [".package-lock.json", ".modules.yaml", ".yarn-state.yml", ".yarn-integrity"] as const;

/** Another text after each install of packages that a process in the folder would find. */
export function installedIn(folder: string, project: string): string {
  const times = foldersUp(folder, project).flatMap((one) =>
    marks.map((mark) => statSync(path.join(one, "node_modules", mark), { throwIfNoEntry: false })?.mtimeMs ?? 0),
  );
  return times.join();
}

/** The folder whose packages a process in `folder` misses, by its last lines: nobody has installed them. Undefined: it is not that. */
export function lacksPackages(folder: string, project: string, last: readonly string[]): string | undefined {
  if (!last.some((line) => /Cannot find (?:module|package)|ERR_MODULE_NOT_FOUND|not found/i.test(line)))
    return undefined;
  const owner = foldersUp(folder, project).find((one) => existsSync(path.join(one, "package.json")));
  return owner === undefined || existsSync(path.join(owner, "node_modules")) ? undefined : owner;
}

/** The folder and those above it, up to the project's; a folder elsewhere is alone. */
function foldersUp(folder: string, project: string): readonly string[] {
  const below = path.relative(project, folder);
  if (below === "" || below.startsWith("..") || path.isAbsolute(below)) return [folder];
  return [folder, ...foldersUp(path.dirname(folder), project)];
}
