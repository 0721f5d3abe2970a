import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { startNats } from "../support/nats.ts";
import { cpuNow, cpuPerUnit, median } from "./accounting.ts";
import type { Pids } from "./accounting.ts";
import { numbersOf } from "./commandLine.ts";
import type { DriverReply } from "./driverMessages.ts";
import { startProduct } from "./product.ts";
import type { Member } from "./product.ts";
import { startDriver, warmUp } from "./rounds.ts";
import type { Driver } from "./rounds.ts";
import { scrape } from "./scrape.ts";
import { startService } from "./services/service.ts";
import { heading, progress } from "./stack.ts";
import { textTable } from "./textTable.ts";

const help = `npm run bench -- balance [options]

How two sidecars of one service share the work under load, each with a process of the service of its own: both alike, then one whose service takes its time.
Then steps/s with 1, 2 and 4 orchestrators on this machine, round by round in turn, over front doors of all of them, and CPU a step of all of them together: more
than two processes share the cores in any case.

  --at <list>             runs in flight while sidecars share (64,256)
  --parts <list>          of sidecars, orchestrators (both)
  --concurrency <n>       calls that each sidecar makes at a time, while they share (64)
  --slow <ms>             that each call takes at the slow one (100)
  --orchestrators <list>  how many, beside each other (1,2,4)
  --rounds <n>            (3)
  --seconds <s>           for each figure (5)
  --warm-up <s>           (5)
  --json <file>           writes the figures
  --help`;

/** Measures how work is shared and prints what came of it. */
export async function measureBalance(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      at: { type: "string", default: "64,256" },
      slow: { type: "string", default: "100" },
      concurrency: { type: "string", default: "64" },
      parts: { type: "string", default: "sidecars,orchestrators" },
      orchestrators: { type: "string", default: "1,2,4" },
      rounds: { type: "string", default: "3" },
      seconds: { type: "string", default: "5" },
      "warm-up": { type: "string", default: "5" },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(help);
    return;
  }
  const settings = {
    loads: numbersOf(values.at),
    concurrency: Number(values.concurrency),
    seconds: Number(values.seconds),
    rounds: Number(values.rounds),
    warmUpSeconds: Number(values["warm-up"]),
  };
  const head = await heading("plain");
  const parts = values.parts.split(",");
  const sharing: Share[] = [];
  if (parts.includes("sidecars")) {
    sharing.push(...(await shareOf("alike", [0, 0], settings)));
    sharing.push(...(await shareOf(`the second ${values.slow} ms slower`, [0, Number(values.slow)], settings)));
  }
  const counts = parts.includes("orchestrators") ? numbersOf(values.orchestrators) : [];
  const owners = await compareOwners(counts, settings);
  console.log(head);
  if (sharing.length > 0) console.log(`${sharingTable(sharing)}\n`);
  if (owners.length > 0) console.log(ownersTable(owners));
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify({ sharing, owners }, undefined, 2)}\n`);
}

function sharingTable(sharing: readonly Share[]): string {
  const row = ({ name, runs, calls: [first = 0, second = 0] }: Share): readonly string[] => [
    `${name}, ${runs} runs in flight`,
    String(first),
    String(second),
    (second / first).toFixed(3),
  ];
  return textTable([
    ["two sidecars of one service", "first, calls", "second, calls", "second / first"],
    ...sharing.map(row),
  ]);
}

function ownersTable(owners: readonly Owners[]): string {
  const first = median(owners[0]?.stepsPerSecond ?? []);
  const row = ({ orchestrators, stepsPerSecond, cpu }: Owners): readonly string[] => [
    String(orchestrators),
    `${Math.round(median(stepsPerSecond))} (${Math.min(...stepsPerSecond)} to ${Math.max(...stepsPerSecond)})`,
    (median(stepsPerSecond) / first).toFixed(2),
    ...programs.map((name) => String(Math.round(median(cpu.map((of) => of[name] ?? 0))))),
  ];
  const title = ["orchestrators on this machine", "steps/s at 64 runs", "to the first"];
  return textTable([[...title, ...programs.map((name) => `${name}, µs CPU a step`)], ...owners.map(row)]);
}

const programs = ["orchestrators", "sidecar", "natsServer"] as const;

interface Settings {
  readonly loads: readonly number[];
  readonly concurrency: number;
  readonly seconds: number;
  readonly rounds: number;
  readonly warmUpSeconds: number;
}

interface Share {
  readonly name: string;
  readonly runs: number;
  readonly calls: readonly number[];
}

/** Calls that each of two sidecars made. */
async function shareOf(name: string, delaysMs: readonly number[], settings: Settings): Promise<readonly Share[]> {
  progress(`two sidecars, ${name}`);
  await using started = new AsyncDisposableStack();
  const nats = started.use(await startNats());
  const sidecars = [];
  for (const delayMs of delaysMs) {
    const service = await startService("plain", delayMs);
    started.use(service.program);
    sidecars.push({ service: service.address, concurrency: settings.concurrency });
  }
  const product = started.use(await startProduct({ natsUrl: nats.url, sidecars }));
  const driver = started.use(await startDriver());
  const addresses = product.orchestrators.map(({ address }) => address);
  await load(driver, addresses, 64, settings.warmUpSeconds);
  const figures: Share[] = [];
  for (const runs of settings.loads) {
    const before = await callsOf(product.sidecars);
    await load(driver, addresses, runs, settings.seconds);
    const after = await callsOf(product.sidecars);
    const calls = after.map((count, index) => count - (before[index] ?? 0));
    progress(`  ${runs} runs in flight: ${calls.join(" and ")} calls`);
    figures.push({ name, runs, calls });
  }
  return figures;
}

function callsOf(sidecars: readonly Member[]): Promise<readonly number[]> {
  return Promise.all(
    sidecars.map(async ({ adminPort }) => (await scrape(adminPort))("sidestep_sidecar_tasks_total", 'outcome="OK"')),
  );
}

interface Owners {
  readonly orchestrators: number;
  /** Of each round. */
  readonly stepsPerSecond: readonly number[];
  /** Microseconds a step, of each round, by program. */
  readonly cpu: readonly Readonly<Record<string, number>>[];
}

type Measured = Owners & {
  readonly addresses: readonly string[];
  readonly pids: Pids;
  readonly stepsPerSecond: number[];
  readonly cpu: Record<string, number>[];
};

/** Each on a nats-server of its own; what stands by costs next to nothing. */
async function compareOwners(counts: readonly number[], settings: Settings): Promise<readonly Owners[]> {
  await using started = new AsyncDisposableStack();
  const service = await startService("plain");
  started.use(service.program);
  const driver = started.use(await startDriver());
  const stacks: Measured[] = [];
  for (const orchestrators of counts) {
    progress(`starting ${orchestrators} orchestrators`);
    const nats = started.use(await startNats());
    const sidecars = [{ service: service.address }];
    const product = started.use(await startProduct({ natsUrl: nats.url, orchestrators, sidecars }));
    const addresses = product.orchestrators.map(({ address }) => address);
    for (const address of addresses) await warmUp(driver, { address }, settings.warmUpSeconds);
    const pids = {
      orchestrators: product.orchestrators.map(({ program }) => program.pid),
      sidecar: product.sidecars.map(({ program }) => program.pid),
      natsServer: nats.pid(),
    };
    stacks.push({ orchestrators, addresses, pids, stepsPerSecond: [], cpu: [] });
  }
  for (let round = 1; round <= settings.rounds; round++) {
    for (const { orchestrators, addresses, pids, stepsPerSecond, cpu } of stacks) {
      const looks: Record<string, number>[] = [];
      const reply = await load(driver, addresses, 64, settings.seconds, () => looks.push(cpuNow(pids)));
      stepsPerSecond.push(Math.round((reply.done * 10) / reply.seconds));
      cpu.push(cpuPerUnit(looks[0] ?? {}, looks[1] ?? {}, reply.done * 10));
      progress(`round ${round}: ${orchestrators} orchestrators, ${stepsPerSecond.at(-1)} steps/s`);
    }
  }
  return stacks.map(({ orchestrators, stepsPerSecond, cpu }) => ({ orchestrators, stepsPerSecond, cpu }));
}

async function load(
  driver: Driver,
  addresses: readonly string[],
  runs: number,
  seconds: number,
  /** Called at the begin and the end of the window. */
  onWindow?: () => void,
): Promise<Extract<DriverReply, { kind: "load" }>> {
  const method = "/bench.v1.Chain/Ten";
  const reply = await driver.ask(
    { kind: "load", addresses, method, runs, warmMs: 1_000, windowMs: seconds * 1_000 },
    ({ kind }) => {
      if (kind === "counting" || kind === "counted") onWindow?.();
    },
  );
  if (reply.kind !== "load") throw new Error("the driver gave no figures");
  if (reply.errors > 0) throw new Error(`${reply.errors} runs failed, last: ${reply.lastError}`);
  return reply;
}
