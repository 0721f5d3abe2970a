import { parseArgs } from "node:util";
import { play, playMany } from "./play.ts";
import type { Tier } from "./play.ts";

const help = `npm run sim -- [options]

Plays days of chance: one seed decides workflows, faults, deaths and timings. A line for each seed that breaks a rule, with the command that
shows its story; the exit code is 1 then. test/sim/README.md says what is simulated and what must hold.

  --seeds <n>      that many seeds (3000)
  --first <n>      from which on (1)
  --tier <tier>    model: the engine between models; stack: the real processor and worker on simulated ports; both: the model, and each tenth
                   seed on the stack (both)
  --seed <n>       one seed again, with its story
  --bugs           plants each known bug in turn and says what finds it; the exit code is 1 when one escapes
  --only <text>    with --bugs: those whose name begins so
  --quick          with --bugs: begins with what found each last
  --write          with --bugs: keeps what found them for --quick
  --help`;

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string", default: "3000" },
    first: { type: "string", default: "1" },
    tier: { type: "string", default: "both" },
    bugs: { type: "boolean", default: false },
    only: { type: "string" },
    quick: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

/** Of both tiers the whole stack takes every so many seeds: it is that much slower. */
const stackEvery = 10;
const chosen: readonly Tier[] =
  values.tier === "both" ? ["model", "stack"] : [values.tier === "stack" ? "stack" : "model"];

if (values.help) console.log(help);
else if (values.bugs)
  await import("./bugs/main.ts").then(({ runBugs }) =>
    runBugs({ only: values.only, quick: values.quick, writes: values.write }),
  );
else if (values.seed !== undefined) await runOne(Number(values.seed));
else await runMany(Number(values.first), Number(values.seeds));

/** The story of a seed. */
async function runOne(seed: number): Promise<void> {
  for (const tier of chosen) {
    const result = await play(tier, seed, true);
    console.log(`${tier} ${seed}\n${result.story().join("\n")}`);
    for (const violation of new Set(result.violations)) console.log(`BROKEN ${violation}`);
    if (result.violations.length > 0) process.exitCode = 1;
  }
}

/** A line for each seed that breaks a rule, and how to run it again. */
async function runMany(first: number, count: number): Promise<void> {
  for (const tier of chosen) {
    const every = values.tier === "both" && tier === "stack" ? stackEvery : 1;
    const played = await playMany(tier, { first, count, every }, (seed, violations) => {
      process.exitCode = 1;
      const told = violations.slice(0, 3).join(" | ");
      console.log(`${tier} seed ${seed}: ${told}\n  npm run sim -- --tier ${tier} --seed ${seed}`);
    });
    console.log(JSON.stringify(played));
  }
}
