import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";
import type { Engine } from "../engine.ts";
import { simulate as simulateModel } from "../model/simulate.ts";
import type * as Snapshots from "../../../orchestrator/src/engine/testing/snapshot.ts";
import type * as Transcripts from "../../../orchestrator/src/engine/testing/transcript.ts";
import type * as Stack from "../stack/simulate.ts";
import { scenes } from "./scenes.ts";
import type * as Scenes from "./scenes.ts";
import { plantedBugs as engineBugs } from "./plantedBugs.ts";
import type { PlantedBug } from "./plantedBugs.ts";
import { afterlifeBugs } from "./afterlifeBugs.ts";
import { versionBugs } from "./versionBugs.ts";
import { stepBugs } from "./stepBugs.ts";
import { processorBugs } from "./processorBugs.ts";

/** All of them. */
export const plantedBugs: readonly PlantedBug[] = [
  ...engineBugs,
  ...stepBugs,
  ...processorBugs,
  ...afterlifeBugs,
  ...versionBugs,
];

const root = new URL("../../../", import.meta.url).href;
/** Code of ours of which every bug gets copies: what may have a bug, and what stands on it. */
const copied = [
  "orchestrator/src/",
  "sidecar/src/",
  "runtime/src/",
  "test/sim/stack/",
  "test/sim/rules/",
  "test/sim/engine.ts",
  "test/sim/bugs/scenes.ts",
  "test/sim/bugs/versionScenes.ts",
];
const modelSeeds = 20_000;
const stackSeeds = 16_000;

/** What found a bug last, by its name: what is tried first when the suite only has to see that each is still found. */
const foundByFile = new URL("foundBy.json", import.meta.url);

/** What finds bugs, in the order in which it is tried: whatever is cheapest. */
type Tier = "transcript" | "snapshot" | "scene" | "model" | "stack";

/** A check that a bug fails. */
interface Found {
  readonly tier: Tier;
  /** A seed, or the name of a transcript or of a scene. */
  readonly at: string;
  readonly violation: string;
}

/** How bugs are looked for. */
export interface Search {
  /** Beginning of the names of those that are planted. */
  readonly only: string | undefined;
  /** Begins with what found each bug last, as foundBy.json says; without, everything is tried from the first seed on. */
  readonly quick: boolean;
  /** Writes foundBy.json anew. */
  readonly writes: boolean;
}

/**
 * Plants each bug in turn and prints which check finds it at which seed. A bug is planted as files are loaded: every file below an entry with
 * ?bug=<n> is another copy of it, changed where the bug says. The exit code is 1 when a bug is found by nothing.
 */
export async function runBugs({ only, quick, writes }: Search): Promise<void> {
  plantOnLoad();
  const known = readFoundBy();
  const foundBy: Record<string, string> = {};
  let escaped = 0;
  for (const [number, bug] of plantedBugs.entries()) {
    if (only !== undefined && !bug.name.startsWith(only)) continue;
    const killer = (quick ? await findAgain(number, bug, known[bug.name]) : undefined) ?? (await find(number, bug));
    if (killer === undefined) escaped += 1;
    else foundBy[bug.name] = `${killer.tier} ${killer.at}`;
    const told = killer === undefined ? "by nothing" : `${killer.tier} ${killer.at} (${killer.violation})`;
    console.log(`${killer === undefined ? "ESCAPED" : "found"}  ${bug.name}: ${told}`);
  }
  if (writes)
    writeFileSync(
      foundByFile,
      `${JSON.stringify({ ...(only === undefined ? {} : known), ...foundBy }, undefined, 2)}\n`,
    );
  process.exitCode = escaped === 0 ? 0 : 1;
}

function readFoundBy(): Readonly<Record<string, string>> {
  return existsSync(foundByFile) ? (JSON.parse(readFileSync(foundByFile, "utf8")) as Record<string, string>) : {};
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

/** One check of a bug by its name or seed. */
type Look = (at: string) => Promise<string | undefined>;

/** What finds it first: transcripts, scenes, the model, then the whole stack. */
async function find(number: number, bug: PlantedBug): Promise<Found | undefined> {
  for (const tier of tiersOf(bug)) {
    const look = await toLook(tier, number, bug);
    for (const at of placesOf(tier)) {
      const violation = await look(at);
      if (violation !== undefined) return { tier, at, violation };
    }
  }
  return undefined;
}

/** The check that found it last, and what is near it; a seed tells another story once workflows or faults are made otherwise. */
async function findAgain(number: number, bug: PlantedBug, known: string | undefined): Promise<Found | undefined> {
  const [, word = "", at = ""] = /^(\w+) (.*)$/.exec(known ?? "") ?? [];
  const tier = tiersOf(bug).find((it) => it === word);
  if (tier === undefined) return undefined;
  const violation = await (await toLook(tier, number, bug))(at);
  return violation === undefined ? undefined : { tier, at, violation };
}

function tiersOf(bug: PlantedBug): readonly Tier[] {
  if (bug.kind === "rule") return ["model"];
  // Transcripts and the model have neither.
  if (versionBugs.includes(bug)) return ["scene", "stack"];
  return bug.file.startsWith("orchestrator/src/engine/")
    ? ["transcript", "snapshot", "scene", "model", "stack"]
    : ["scene", "stack"];
}

const testdata = `${root}orchestrator/src/engine/testdata/`;

function placesOf(tier: Tier): readonly string[] {
  switch (tier) {
    case "transcript":
    case "snapshot":
      return readdirSync(fileURLToPath(testdata)).filter((name) => name.endsWith(".txt"));
    case "scene":
      return scenes.map(({ name }) => name);
    case "model":
      return Array.from({ length: modelSeeds }, (_, seed) => String(seed + 1));
    case "stack":
      return Array.from({ length: stackSeeds }, (_, seed) => String(seed + 1));
  }
}

/** A tier with the bug in it. */
async function toLook(tier: Tier, number: number, bug: PlantedBug): Promise<Look> {
  switch (tier) {
    case "transcript": {
      const { replayTranscript } = await plant<typeof Transcripts>(`${transcriptEntry}?bug=${number}`);
      return orThrown((name) => {
        const text = readFileSync(fileURLToPath(testdata + name), "utf8");
        return Promise.resolve(replayTranscript(text) === text ? undefined : "it reads otherwise");
      });
    }
    case "snapshot": {
      const { replayTranscript } = await plant<typeof Transcripts>(`${transcriptEntry}?bug=${number}`);
      const { throughSnapshot } = await plant<typeof Snapshots>(`${snapshotEntry}?bug=${number}`);
      return orThrown((name) => {
        const text = readFileSync(fileURLToPath(testdata + name), "utf8");
        const again = replayTranscript(text, throughSnapshot);
        return Promise.resolve(again === text ? undefined : "it goes on otherwise from a snapshot");
      });
    }
    case "scene": {
      const planted = await plant<typeof Scenes>(`./scenes.ts?bug=${number}`);
      return orThrown(async (at) => (await planted.scenes.find(({ name }) => name === at)?.play())?.[0]);
    }
    case "model": {
      if (bug.kind === "rule") {
        const rules = new Set([bug.rule]);
        return orThrown((seed) => Promise.resolve(simulateModel(Number(seed), undefined, rules).violations[0]));
      }
      const { engine } = await plant<{ readonly engine: Engine }>(`../engine.ts?bug=${number}`);
      return orThrown((seed) => Promise.resolve(simulateModel(Number(seed), engine).violations[0]));
    }
    case "stack": {
      const { simulate } = await plant<typeof Stack>(`../stack/simulate.ts?bug=${number}`);
      return orThrown(async (seed) => (await simulate(Number(seed))).violations[0]);
    }
  }
}

const transcriptEntry = `${root}orchestrator/src/engine/testing/transcript.ts`;
const snapshotEntry = `${root}orchestrator/src/engine/testing/snapshot.ts`;

async function plant<T>(entry: string): Promise<T> {
  return (await import(entry)) as T;
}

/** What throws has found it as well. */
function orThrown(look: Look): Look {
  return async (at) => {
    try {
      return await look(at);
    } catch (error) {
      return `throws: ${error instanceof Error ? error.message : String(error)}`;
    }
  };
}
