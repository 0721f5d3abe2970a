import { readFileSync, readdirSync } from "node:fs";
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";
import type { Engine } from "../engine.ts";
import { simulate as simulateModel } from "../model/simulate.ts";
import type { simulate as simulateStack } from "../stack/simulate.ts";
import { plantedBugs as engineBugs } from "./plantedBugs.ts";
import type { PlantedBug } from "./plantedBugs.ts";
import { blockBugs } from "./blockBugs.ts";
import { processorBugs } from "./processorBugs.ts";

/** All of them. */
export const plantedBugs: readonly PlantedBug[] = [...engineBugs, ...blockBugs, ...processorBugs];

const root = new URL("../../../", import.meta.url).href;
/** Code of ours of which every bug gets copies: what may have a bug, and what stands on it. */
const copied = [
  "orchestrator/src/",
  "sidecar/src/",
  "runtime/src/",
  "test/sim/stack/",
  "test/sim/rules/",
  "test/sim/engine.ts",
];
const modelSeeds = 20_000;
const stackSeeds = 4_000;

/**
 * Plants each bug in turn and prints which check finds it at which seed. A bug is planted as files are loaded: every file below an entry with
 * ?bug=<n> is another copy of it, changed where the bug says. The exit code is 1 when a bug is found by nothing.
 */
export async function runBugs(only: string | undefined): Promise<void> {
  plantOnLoad();
  let escaped = 0;
  for (const [number, bug] of plantedBugs.entries()) {
    if (only !== undefined && !bug.name.startsWith(only)) continue;
    const killer = await find(number, bug);
    if (killer === undefined) escaped += 1;
    console.log(`${killer === undefined ? "ESCAPED" : "found"}  ${bug.name}: ${killer ?? "by nothing"}`);
  }
  process.exitCode = escaped === 0 ? 0 : 1;
}

function plantOnLoad(): void {
  registerHooks({
    resolve(specifier, context, next) {
      const resolved = next(specifier, context);
      const bug = /\?bug=\d+$/.exec(context.parentURL ?? "")?.[0];
      const isCopied = copied.some((folder) => resolved.url.startsWith(root + folder));
      return bug !== undefined && isCopied && !resolved.url.includes("?")
        ? { ...resolved, url: resolved.url + bug }
        : resolved;
    },
    load(url, context, next) {
      const number = /\?bug=(\d+)$/.exec(url)?.[1];
      const bug = number === undefined ? undefined : plantedBugs[Number(number)];
      if (bug === undefined || bug.kind !== "source" || !url.startsWith(`${root}${bug.file}?`))
        return next(url, context);
      const source = readFileSync(fileURLToPath(url.replace(/\?.*$/, "")), "utf8");
      if (source.split(bug.find).length !== 2)
        throw new Error(`${bug.name}: '${bug.find}' is not there once in ${bug.file}`);
      return { format: "module-typescript", source: source.replace(bug.find, () => bug.replace), shortCircuit: true };
    },
  });
}

/** What finds it first: transcripts, the model, then the whole stack. */
async function find(number: number, bug: PlantedBug): Promise<string | undefined> {
  switch (bug.kind) {
    case "rule":
      return bySeeds("model", modelSeeds, (seed) => simulateModel(seed, undefined, new Set([bug.rule])).violations);
    case "source":
      return bug.file.startsWith("orchestrator/src/engine/")
        ? ((await byTranscripts(number)) ?? (await byModel(number)) ?? (await byStack(number)))
        : byStack(number);
  }
}

async function byModel(number: number): Promise<string | undefined> {
  const planted = (await import(`../engine.ts?bug=${number}`)) as { readonly engine: Engine };
  return bySeeds("model", modelSeeds, (seed) => simulateModel(seed, planted.engine).violations);
}

async function byStack(number: number): Promise<string | undefined> {
  const entry = `../stack/simulate.ts?bug=${number}`;
  const { simulate } = (await import(entry)) as { readonly simulate: typeof simulateStack };
  return bySeeds("stack", stackSeeds, async (seed) => (await simulate(seed)).violations);
}

async function bySeeds(
  tier: string,
  seeds: number,
  run: (seed: number) => Promise<readonly string[]> | readonly string[],
): Promise<string | undefined> {
  for (let seed = 1; seed <= seeds; seed++) {
    try {
      const [violation] = await run(seed);
      if (violation !== undefined) return `${tier} seed ${seed} (${violation})`;
    } catch (error) {
      return `${tier} seed ${seed} (throws: ${error instanceof Error ? error.message : String(error)})`;
    }
  }
  return undefined;
}

async function byTranscripts(number: number): Promise<string | undefined> {
  const engineFolder = `${root}orchestrator/src/engine/`;
  const entry = `${engineFolder}testing/transcript.ts?bug=${number}`;
  const { replayTranscript } = (await import(entry)) as { readonly replayTranscript: (text: string) => string };
  const folder = fileURLToPath(`${engineFolder}testdata/`);
  const changed = readdirSync(folder).filter((name) => {
    const text = readFileSync(folder + name, "utf8");
    try {
      return replayTranscript(text) !== text;
    } catch {
      return true;
    }
  });
  return changed.length === 0 ? undefined : `${changed.length} transcripts (${changed[0] ?? ""})`;
}
