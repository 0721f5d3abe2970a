import { writeFile } from "node:fs/promises";
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { cpuNow, median } from "./accounting.ts";
import { makeLongChain, makeMany } from "./madeContracts.ts";
import { pause } from "./probe.ts";
import { deploy } from "./product.ts";
import { scrape } from "./scrape.ts";
import { heading, progress, startStack } from "./stack.ts";
import type { Stack } from "./stack.ts";
import { storedIn } from "./streams.ts";
import { textTable } from "./textTable.ts";
import { startWaiting } from "./wait.ts";

const help = `npm run bench -- flat [options]

Whether a step costs the same in a system that has grown: idle latency, steps/s at 64 runs and CPU a step of the grown system beside an empty one, each on a
nats-server of its own, round by round in turn. Grown are the runs that wait, the events in the log, the steps of a run, the workflows that are deployed.

  --only <list>       of waiting, events, steps, workflows (all)
  --waiting <n>       runs (100000)
  --events <n>        (1000000)
  --steps <n>         at most 1000 (1000)
  --workflows <n>     (200)
  --rounds <n>        (3)
  --seconds <s>       for each load (5)
  --latency <n>       runs for one idle figure (200)
  --json <file>       writes the figures
  --help`;

/** What is run to measure a step: two workflows of different length. */
interface Chains {
  readonly long: string;
  readonly steps: number;
}

interface Growth {
  readonly title: string;
  grow(stack: Stack): Promise<void>;
  /** What the grown system runs. */
  readonly chains: Chains;
}

export const tenSteps: Chains = { long: "bench.v1.Chain/Ten", steps: 10 };

/** Measures the grown systems and prints what came of it. */
export async function measureFlat(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string", default: "waiting,events,steps,workflows" },
      waiting: { type: "string", default: "100000" },
      events: { type: "string", default: "1000000" },
      steps: { type: "string", default: "1000" },
      workflows: { type: "string", default: "200" },
      rounds: { type: "string", default: "3" },
      seconds: { type: "string", default: "5" },
      latency: { type: "string", default: "200" },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(help);
    return;
  }
  const steps = Number(values.steps);
  const growths: Readonly<Record<string, Growth>> = {
    waiting: {
      title: `${values.waiting} waiting runs`,
      grow: (stack) => growWaiting(stack, Number(values.waiting)),
      chains: tenSteps,
    },
    events: {
      title: `${values.events} events in the log`,
      grow: (stack) => growEvents(stack, Number(values.events)),
      chains: tenSteps,
    },
    steps: {
      title: `runs of ${steps} steps`,
      grow: async (stack) => {
        await using made = await makeLongChain(steps);
        await deploy(made.folder, stack.orchestrator.address);
      },
      chains: { long: "bench.v1.Thousand/Run", steps },
    },
    workflows: {
      title: `${values.workflows} workflows deployed`,
      grow: async (stack) => {
        await using made = await makeMany(Number(values.workflows));
        await deploy(made.folder, stack.orchestrator.address);
      },
      chains: tenSteps,
    },
  };
  const settings = {
    rounds: Number(values.rounds),
    seconds: Number(values.seconds),
    latencyRuns: Number(values.latency),
  };
  const head = await heading("plain");
  const compared: Awaited<ReturnType<typeof compare>>[] = [];
  for (const name of values.only.split(",")) {
    const growth = growths[name];
    if (growth === undefined) throw new Error(`--only ${name}: there are ${Object.keys(growths).join(", ")}`);
    compared.push(await compare(growth, settings));
  }
  console.log(head);
  console.log(
    textTable([
      ["grown / empty", "idle step, ms", "ratio", "steps/s at 64 runs", "ratio", "CPU a step, µs", "ratio"],
      ...compared.map(({ title, empty, grown }) => [
        title,
        ...pair(empty, grown, (it) => it.idleStepMs, 3),
        ...pair(empty, grown, (it) => it.stepsPerSecond, 0),
        ...pair(empty, grown, (it) => it.cpuMicros, 0),
      ]),
    ]),
  );
  console.log("\nMedians. CPU of orchestrator, sidecar and nats-server together.");
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(compared, undefined, 2)}\n`);
}

export interface Figures {
  readonly idleStepMs: number;
  readonly stepsPerSecond: number;
  readonly cpuMicros: number;
}

interface Settings {
  readonly rounds: number;
  readonly seconds: number;
  readonly latencyRuns: number;
}

async function compare(growth: Growth, settings: Settings) {
  progress(`${growth.title}: starting an empty system and one that grows`);
  await using emptyStack = await startStack();
  await using grownStack = await startStack();
  await growth.grow(grownStack);
  const [empty, grown]: [Figures[], Figures[]] = [[], []];
  for (let round = 1; round <= settings.rounds; round++) {
    empty.push(await measure(emptyStack, tenSteps, settings));
    grown.push(await measure(grownStack, growth.chains, settings));
    progress(`  round ${round}: empty ${JSON.stringify(empty.at(-1))}, grown ${JSON.stringify(grown.at(-1))}`);
  }
  return { title: growth.title, empty, grown };
}

/** Idle latency of a step, and steps and CPU at 64 runs. */
export async function measure(
  stack: Stack,
  { long, steps }: Chains,
  { seconds, latencyRuns }: Settings,
): Promise<Figures> {
  // As many steps of each, however long the runs are.
  const longRuns = Math.max(5, Math.ceil((latencyRuns * 10) / steps));
  const one = await idleP50(stack, "bench.v1.Chain/One", latencyRuns);
  const many = await idleP50(stack, long, longRuns);
  const look = async () => ({
    atMs: performance.now(),
    steps: (await scrape(stack.sidecar.adminPort))("sidestep_sidecar_tasks_total", 'outcome="OK"'),
    cpu: Object.values(cpuNow(stack.pids)).reduce((sum, micros) => sum + micros, 0),
  });
  const [before, after] = [Promise.withResolvers<Look>(), Promise.withResolvers<Look>()];
  type Look = Awaited<ReturnType<typeof look>>;
  const reply = await stack.driver.ask(
    {
      kind: "load",
      addresses: [stack.side.address],
      method: `/${long}`,
      runs: 64,
      warmMs: 1_000,
      windowMs: seconds * 1_000,
    },
    ({ kind }) => {
      if (kind === "counting") before.resolve(look());
      if (kind === "counted") after.resolve(look());
    },
  );
  if (reply.kind !== "load" || reply.errors > 0) throw new Error(`runs failed: ${JSON.stringify(reply)}`);
  const [from, to] = await Promise.all([before.promise, after.promise]);
  const done = to.steps - from.steps;
  return {
    idleStepMs: Math.round(((many - one) / (steps - 1)) * 1_000) / 1_000,
    stepsPerSecond: Math.round(done / ((to.atMs - from.atMs) / 1_000)),
    cpuMicros: Math.round((to.cpu - from.cpu) / done),
  };
}

async function idleP50(stack: Stack, rpc: string, count: number): Promise<number> {
  const reply = await stack.driver.ask({
    kind: "latency",
    address: stack.side.address,
    method: `/${rpc}`,
    count,
  });
  return reply.kind === "latency" ? median(reply.millis) : Number.NaN;
}

const letGoMsMax = 90_000;

/** Starts them, and waits until they have left the orchestrator's memory. */
async function growWaiting(stack: Stack, runs: number): Promise<void> {
  await startWaiting(stack, runs);
  const untilMs = performance.now() + letGoMsMax;
  while (performance.now() < untilMs) {
    if ((await scrape(stack.orchestrator.adminPort))("sidestep_orchestrator_evictions_total") >= runs) return;
    await pause(1_000);
  }
  throw new Error("runs that wait stay in memory");
}

async function growEvents(stack: Stack, events: number): Promise<void> {
  for (;;) {
    const { logMessages } = await storedIn(stack.nats.url);
    progress(`  ${logMessages} of ${events} events`);
    if (logMessages >= events) return;
    await stack.driver.ask({
      kind: "load",
      addresses: [stack.side.address],
      method: "/bench.v1.Chain/Ten",
      runs: 256,
      warmMs: 0,
      windowMs: Math.min(10_000, Math.max(500, (events - logMessages) / 20)),
    });
  }
}

function pair(
  empty: readonly Figures[],
  grown: readonly Figures[],
  read: (figures: Figures) => number,
  digits: number,
): readonly string[] {
  const [before, after] = [median(empty.map(read)), median(grown.map(read))];
  return [`${after.toFixed(digits)} / ${before.toFixed(digits)}`, (after / before).toFixed(2)];
}
