import { simulate as simulateModel } from "./model/simulate.ts";
import { simulate as simulateStack } from "./stack/simulate.ts";

/** The engine between models, or the real processor and worker on simulated ports. */
export type Tier = "model" | "stack";

/** What a seed's day came to. */
export interface Result {
  readonly violations: readonly string[];
  readonly records: number;
  readonly ends: readonly number[];
  readonly story: () => readonly string[];
}

/** What many seeds came to. */
export interface Played {
  readonly tier: Tier;
  readonly seeds: number;
  /** Seeds that broke a rule. */
  readonly broken: number;
  readonly records: number;
  /** How many runs ended in each sidestep.v1.Run.State. */
  readonly ends: Readonly<Record<number, number>>;
  readonly seconds: number;
  readonly perSecond: number;
}

/** Plays one seed; `tells`: with its story. */
export function play(tier: Tier, seed: number, tells = false): Promise<Result> {
  return tier === "stack" ? simulateStack(seed, { tells }) : Promise.resolve(simulateModel(seed));
}

/** Plays every so many of `count` seeds from `first` on. */
export async function playMany(
  tier: Tier,
  { first, count, every }: { readonly first: number; readonly count: number; readonly every: number },
  onBroken: (seed: number, violations: readonly string[]) => void,
): Promise<Played> {
  const ends: Record<number, number> = {};
  let [records, broken, seeds] = [0, 0, 0];
  const startedMs = performance.now();
  for (let seed = first; seed < first + count; seed += every) {
    const result = await play(tier, seed);
    seeds++;
    records += result.records;
    for (const end of result.ends) ends[end] = (ends[end] ?? 0) + 1;
    if (result.violations.length === 0) continue;
    broken++;
    onBroken(seed, [...new Set(result.violations)]);
  }
  const seconds = (performance.now() - startedMs) / 1_000;
  return {
    tier,
    seeds,
    broken,
    records,
    ends,
    seconds: Number(seconds.toFixed(1)),
    perSecond: Math.round(seeds / seconds),
  };
}
