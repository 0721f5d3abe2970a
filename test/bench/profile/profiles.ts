import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import type { CpuProfile } from "./cpuProfile.ts";
import type { Inspector } from "./inspector.ts";
import { toText, toWidest } from "./widest.ts";

/** The profiles of one run of the benchmark: files in a folder, and in the end a report of each program. */
export interface Profiles {
  readonly folder: string;
  /** Begins a profile of each; call what comes back at the end of what is measured. `title`: of what is measured. */
  begin(title: string, inspectors: Readonly<Record<string, Inspector>>): Promise<() => Promise<void>>;
  /** Writes a report beside the profiles of each title and program, and answers all of them. */
  report(): Promise<string>;
}

/** Without a folder a new one is made for temporary files. */
export async function openProfiles(given: string): Promise<Profiles> {
  const folder = given === "" ? await mkdtemp(path.join(os.tmpdir(), "sidestep-profile-")) : path.resolve(given);
  await mkdir(folder, { recursive: true });
  const taken = new Map<string, CpuProfile[]>();
  return {
    folder,
    begin: async (title, inspectors) => {
      const all = Object.entries(inspectors);
      await Promise.all(all.map(([, inspector]) => inspector.startProfile()));
      return async () => {
        const stopped = await Promise.all(
          all.map(async ([program, inspector]) => [program, await inspector.stopProfile()] as const),
        );
        for (const [program, profile] of stopped) {
          const name = `${title}-${program}`;
          const ofName = taken.get(name) ?? [];
          ofName.push(profile);
          taken.set(name, ofName);
          await writeFile(path.join(folder, `${name}-${ofName.length}.cpuprofile`), JSON.stringify(profile));
        }
      };
    },
    report: async () => {
      const texts: string[] = [];
      for (const [name, profiles] of taken) {
        const text = toText(name, toWidest(profiles));
        await writeFile(path.join(folder, `${name}.txt`), text);
        texts.push(text);
      }
      return texts.join("\n");
    },
  };
}
