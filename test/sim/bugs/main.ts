import { readFileSync, readdirSync } from "node:fs";
import { registerHooks } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Engine } from "./engine.ts";
import { plantedBugs } from "./plantedBugs.ts";
import type { PlantedBug } from "./plantedBugs.ts";
import { simulate } from "./simulate.ts";

// node test/sim/bugs.ts [seeds] [name]: plants each bug in turn, and says which transcripts and which seed find it; 0 seeds: only as many as it
// takes. Exits 1 when a bug is found by nothing.
const asked = Number(process.argv[2] ?? 0);
const only = process.argv[3];
const seeds = asked === 0 ? 20_000 : asked;
const engineFolder = new URL("../../orchestrator/src/engine/", import.meta.url);

// A bug is planted as the engine's files are loaded: every file below an entry with ?bug=<n> is another copy of it, changed where the bug says.
registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    const bug = /\?bug=\d+$/.exec(context.parentURL ?? "")?.[0];
    const isEngine = resolved.url.startsWith(engineFolder.href) || resolved.url.endsWith("/test/sim/engine.ts");
    return bug !== undefined && isEngine && !resolved.url.includes("?")
      ? { ...resolved, url: resolved.url + bug }
      : resolved;
  },
  load(url, context, next) {
    const number = /\?bug=(\d+)$/.exec(url)?.[1];
    const bug = number === undefined ? undefined : plantedBugs[Number(number)];
    if (bug === undefined || bug.kind !== "engine" || !url.startsWith(new URL(bug.file, engineFolder).href))
      return next(url, context);
    const source = readFileSync(fileURLToPath(url.replace(/\?.*$/, "")), "utf8");
    if (source.split(bug.find).length !== 2)
      throw new Error(`${bug.name}: '${bug.find}' is not there once in ${bug.file}`);
    return { format: "module-typescript", source: source.replace(bug.find, bug.replace), shortCircuit: true };
  },
});

let escaped = 0;
for (const [number, bug] of plantedBugs.entries()) {
  if (only !== undefined && bug.name !== only) continue;
  const killers = await find(number, bug);
  if (killers.length === 0) escaped += 1;
  console.log(`${killers.length === 0 ? "ESCAPED" : "found"}  ${bug.name}: ${killers.join("; ") || "by nothing"}`);
}
process.exitCode = escaped === 0 ? 0 : 1;

async function find(number: number, bug: PlantedBug): Promise<readonly string[]> {
  if (bug.kind === "protocol") return bySeeds((seed) => simulate(seed, undefined, new Set([bug.rule])).violations);
  const planted = (await import(`./engine.ts?bug=${number}`)) as { readonly engine: Engine };
  const transcripts = await byTranscripts(number);
  if (asked === 0 && transcripts.length > 0) return transcripts;
  return [...transcripts, ...bySeeds((seed) => simulate(seed, planted.engine).violations)];
}

function bySeeds(run: (seed: number) => readonly string[]): readonly string[] {
  for (let seed = 1; seed <= seeds; seed++) {
    try {
      const [violation] = run(seed);
      if (violation !== undefined) return [`seed ${seed} (${violation})`];
    } catch (error) {
      return [`seed ${seed} (throws: ${error instanceof Error ? error.message : String(error)})`];
    }
  }
  return [];
}

async function byTranscripts(number: number): Promise<readonly string[]> {
  const entry = `${new URL("testing/transcript.ts", engineFolder).href}?bug=${number}`;
  const { replayTranscript } = (await import(entry)) as { readonly replayTranscript: (text: string) => string };
  const folder = fileURLToPath(new URL("testdata/", engineFolder));
  const changed = readdirSync(folder).filter((name) => {
    const text = readFileSync(pathToFileURL(folder + name), "utf8");
    try {
      return replayTranscript(text) !== text;
    } catch {
      return true;
    }
  });
  return changed.length === 0 ? [] : [`${changed.length} transcripts (${changed[0] ?? ""})`];
}
