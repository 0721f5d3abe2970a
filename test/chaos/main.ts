// npm run chaos [-- --kills 15 --in-flight 24 --orchestrators 1 --seed 1]: kill -9 of everything, again and again, while orders go through.
// npm run chaos -- --boundaries [--story good|reviewed|moon] [--victim orchestrator|sidecar|service]: one kill behind each durable write of an order.
import { parseArgs } from "node:util";
import { startOrderStack } from "../support/orderStack.ts";
import { stories, sweep, victims } from "./boundaries.ts";
import type { Sweep } from "./boundaries.ts";
import { runStorm } from "./storm.ts";

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "15" },
    "in-flight": { type: "string", default: "24" },
    orchestrators: { type: "string", default: "1" },
    boundaries: { type: "boolean", default: false },
    story: { type: "string" },
    victim: { type: "string" },
    seed: { type: "string", default: String(Date.now() % 100_000) },
  },
});
process.exitCode = values.boundaries ? await sweepAll() : await storm();

/** Prints a row for each story and victim; 1 when anything is not as it would be without deaths. */
async function sweepAll(): Promise<number> {
  await using stack = await startOrderStack();
  const rows: Sweep[] = [];
  for (const story of Object.keys(stories).filter((it) => it === (values.story ?? it)))
    for (const victim of victims.filter((it) => it === (values.victim ?? it)))
      rows.push(await sweep(stack, story, victim, (line) => console.log(line)));
  console.log("story      victim         writes  kills  breaches");
  for (const { story, victim, boundaries, kills, breaches } of rows)
    console.log(
      `${story.padEnd(10)} ${victim.padEnd(14)} ${String(boundaries).padStart(6)} ${String(kills).padStart(6)} ${String(breaches.length).padStart(9)}`,
    );
  for (const breach of rows.flatMap((row) => row.breaches)) console.log(`BREACH ${breach}`);
  return rows.length > 0 && rows.every((row) => row.kills > 0 && row.breaches.length === 0) ? 0 : 1;
}

async function storm(): Promise<number> {
  console.log(`seed ${values.seed}`);
  await using stack = await startOrderStack({
    orchestrators: Number(values.orchestrators),
    serviceEnv: { shipping: { SHIP_DELAY_MS: "150" } },
  });
  const report = await runStorm(stack, {
    killsOfEach: Number(values.kills),
    inFlight: Number(values["in-flight"]),
    seed: Number(values.seed),
    progress: (line) => console.log(line),
  });
  console.log(JSON.stringify({ ...report, breaches: report.breaches.length }));
  for (const breach of report.breaches) console.log(`BREACH ${breach}`);
  return report.breaches.length === 0 ? 0 : 1;
}
