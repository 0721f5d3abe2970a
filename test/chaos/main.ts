import { parseArgs } from "node:util";
import { parseDuration } from "../../cli/src/time.ts";
import { startOrderStack } from "../support/orderStack.ts";
import { sweep, victims } from "./boundaries.ts";
import type { Sweep } from "./boundaries.ts";
import { runFailOvers } from "./failOvers.ts";
import { runLeaves } from "./leaves.ts";
import { runStorm } from "./storm.ts";
import { stories } from "./stories.ts";

const storyList = Object.entries(stories).map(([name, { tells }]) => `      ${name.padEnd(10)} ${tells}`);
const help = `npm run chaos [-- options]

kill -9 of everything, again and again, while orders go through:
  --kills N          of each of orchestrator, sidecar, service and nats-server [15]
  --in-flight N      orders at any time [24]
  --orchestrators N  [1]
  --seed N           the order of the kills [by the clock]
  --retention T      ended runs are deleted meanwhile, that long after their ends (5m is the least); the kills, or leaves, are spread over 1.4 times as long
  --logs FOLDER      keeps what orchestrators and sidecars write
Judged: each accepted order ends as it should, with one outcome a step and one end; by the services' journals no effect is missing, doubled
or left over. With --retention: no run is gone before its time, none is there two minutes after it, and of those that are gone nothing is stored.

  --leaves N         instead of kills: each orchestrator and each sidecar in turn is stopped by SIGTERM and comes back, so many times
Judged: the same, and no service is called twice with one key.

  --boundaries       one order again and again, with one kill -9 behind each of its durable writes
  --story NAME       [all]
${storyList.join("\n")}
  --victim NAME      ${victims.join(", ")}: that of the step at hand [all]
Judged: the order ends as without a death, or is undone exactly; by the services' journals each effect is there once and in its order,
nothing is done after something was undone, no idempotency key has two effects, and the caller was told of one run.

  --schedule-kills N instead: whoever owns a schedule that fires each second, so many times, among three orchestrators
Judged: each nominal time from the first to the last has one run.

The exit code is 1 when anything else was seen, or nothing was killed. test/chaos/README.md says more.
  --help`;

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "15" },
    "in-flight": { type: "string", default: "24" },
    orchestrators: { type: "string", default: "1" },
    leaves: { type: "string" },
    "schedule-kills": { type: "string" },
    boundaries: { type: "boolean", default: false },
    story: { type: "string" },
    victim: { type: "string" },
    retention: { type: "string" },
    logs: { type: "string" },
    seed: { type: "string", default: String(Date.now() % 100_000) },
    help: { type: "boolean", default: false },
  },
});
const retentionMs = values.retention === undefined ? undefined : parseDuration(values.retention);
const stackOptions = {
  serviceEnv: { shipping: { SHIP_DELAY_MS: "150" } },
  ...(values.retention === undefined ? {} : { orchestratorEnv: { SIDESTEP_RETENTION: values.retention } }),
  ...(values.logs === undefined ? {} : { logs: values.logs }),
};
if (values.help) console.log(help);
else if (values["schedule-kills"] !== undefined) process.exitCode = await failOver(Number(values["schedule-kills"]));
else if (values.boundaries) process.exitCode = await sweepAll();
else process.exitCode = values.leaves === undefined ? await storm() : await leave(Number(values.leaves));

/** Prints a row for each story and victim; 1 when anything is not as it would be without deaths. */
async function sweepAll(): Promise<number> {
  const chosen = Object.keys(stories).filter((it) => it === (values.story ?? it));
  const killed = victims.filter((it) => it === (values.victim ?? it));
  if (chosen.length === 0 || killed.length === 0) {
    console.error(`no such ${chosen.length === 0 ? `story: ${values.story}` : `victim: ${values.victim}`}\n\n${help}`);
    return 2;
  }
  await using stack = await startOrderStack();
  const rows: Sweep[] = [];
  for (const story of chosen)
    for (const victim of killed) rows.push(await sweep(stack, story, victim, (line) => console.log(line)));
  console.log("story      victim         writes  kills  breaches");
  for (const { story, victim, writes, kills, breaches } of rows)
    console.log(
      `${story.padEnd(10)} ${victim.padEnd(14)} ${String(writes).padStart(6)} ${String(kills).padStart(6)} ${String(breaches.length).padStart(9)}`,
    );
  for (const breach of rows.flatMap((row) => row.breaches)) console.log(`BREACH ${breach}`);
  return rows.every(({ writes, kills, breaches }) => kills > 0 && kills >= writes && breaches.length === 0) ? 0 : 1;
}

async function failOver(kills: number): Promise<number> {
  const report = await runFailOvers(kills, (line) => console.log(line));
  const { times, runs, missing, doubled, latestMs } = report;
  console.log(
    `${report.kills} kills, ${times} nominal times, ${runs} runs, the latest noted after ${latestMs / 1_000} s`,
  );
  console.log(`without a run: ${missing.length}, with several: ${doubled.length}`);
  return report.kills > 0 && missing.length + doubled.length === 0 ? 0 : 1;
}

async function storm(): Promise<number> {
  console.log(`seed ${values.seed}`);
  await using stack = await startOrderStack({ ...stackOptions, orchestrators: Number(values.orchestrators) });
  const report = await runStorm(stack, {
    killsOfEach: Number(values.kills),
    inFlight: Number(values["in-flight"]),
    seed: Number(values.seed),
    retentionMs,
    progress: (line) => console.log(line),
  });
  console.log(JSON.stringify({ ...report, breaches: report.breaches.length }));
  for (const breach of report.breaches) console.log(`BREACH ${breach}`);
  return report.breaches.length === 0 ? 0 : 1;
}

async function leave(rounds: number): Promise<number> {
  await using stack = await startOrderStack({
    ...stackOptions,
    orchestrators: Math.max(2, Number(values.orchestrators)),
  });
  const inFlight = Number(values["in-flight"]);
  const report = await runLeaves(stack, { rounds, inFlight, retentionMs, progress: (line) => console.log(line) });
  console.log(JSON.stringify(report));
  return report.breaches.length + report.repeats.length === 0 ? 0 : 1;
}
