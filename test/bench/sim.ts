import { parseArgs } from "node:util";
import { playMany } from "../sim/play.ts";

const help = `npm run bench -- sim [options]

How many seeds a second the simulation plays on one core, by tier; a seed that breaks a rule is a failure.

  --seeds <n>      of the model; the whole stack plays a tenth of them (5000)
  --help`;

/** Times both tiers of the simulation and prints what came of it. */
export async function measureSimulation(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { seeds: { type: "string", default: "5000" }, help: { type: "boolean", default: false } },
  });
  if (values.help) {
    console.log(help);
    return;
  }
  const count = Number(values.seeds);
  for (const [tier, every] of [
    ["model", 1],
    ["stack", 10],
  ] as const) {
    const played = await playMany(tier, { first: 1, count, every }, (seed, violations) => {
      throw new Error(`${tier} seed ${seed}: ${violations.join(" | ")}`);
    });
    console.log(JSON.stringify(played));
  }
}
