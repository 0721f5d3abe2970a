import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { cpuNow, cpuPerUnit, quantile, residentMiB } from "./accounting.ts";
import { buildBundles } from "./bundles.ts";
import type { DriverReply } from "./driverMessages.ts";
import { scrape } from "./scrape.ts";
import type { Inspector } from "./profile/inspector.ts";
import { heading, progress, startStack } from "./stack.ts";
import type { Stack } from "./stack.ts";
import { storedIn } from "./streams.ts";
import { textTable } from "./textTable.ts";

const help = `npm run bench -- soak [options]

Runs of ten calls at an even pace for a long time, at a part of what the machine did when it was loaded fully. What the objects of orchestrator and sidecar take
after garbage collection, resident memory of all, and what NATS holds, at each look; at the end by how much each grew in an hour. What has ended is deleted after
\`--retention\`, so from then on nothing may grow. The programs are the bundles.

  --minutes <n>      (30)
  --part <n>         of the full load (0.7)
  --rate <n>         steps/s, instead of a part of what is measured
  --retention <t>    for which an ended run is kept (5m, the least)
  --look <s>         between two looks (30)
  --json <file>      writes the figures
  --help`;

const method = "/bench.v1.Chain/Ten";
const stepsOfRun = 10;

/** What is seen at one time. */
interface Look {
  readonly minute: number;
  readonly done: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** p50 of those that were started in the worst second. */
  readonly worstSecondMs: number;
  /** How late the orchestrator's event loop was, at the most. */
  readonly loopLateMs: number;
  /** Of each program since the last look, µs a run. */
  readonly cpuMicrosPerRun: Readonly<Record<string, number>>;
  readonly held: Held;
}

type Held = Readonly<Record<(typeof names)[number], number>>;

/** Each in MiB but the messages. */
const names = [
  "orchestrator, heap",
  "sidecar, heap",
  "orchestrator, resident",
  "sidecar, resident",
  "nats-server, resident",
  "NATS, store",
  "NATS, messages",
] as const;

/** Measures whether anything grows and prints it. */
export async function measureSoak(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: "string", default: "30" },
      part: { type: "string", default: "0.7" },
      rate: { type: "string" },
      retention: { type: "string", default: "5m" },
      look: { type: "string", default: "30" },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(help);
    return;
  }
  const head = await heading("plain");
  progress("starting nats-server, service and product, and warming them up");
  await using bundles = await buildBundles();
  await using stack = await startStack({
    warmUpSeconds: 10,
    isInspected: true,
    bundles,
    orchestratorArgs: ["--retention", values.retention],
  });
  const look = await openLook(stack);
  const full = values.rate === undefined ? await fullLoad(stack) : undefined;
  const stepsPerSecond = full === undefined ? Number(values.rate) : Math.round(full * Number(values.part));
  progress(`${stepsPerSecond} steps/s${full === undefined ? "" : `, of ${full} under full load`}`);
  const looks: Look[] = [];
  let errors = 0;
  let lastError = "";
  const startMs = Date.now();
  while (Date.now() - startMs < Number(values.minutes) * 60_000) {
    const cpuBefore = cpuNow(stack.pids);
    const windowMs = Number(values.look) * 1_000;
    const perSecond = stepsPerSecond / stepsOfRun;
    const reply = await stack.driver.ask({ kind: "pace", address: stack.side.address, method, perSecond, windowMs });
    if (reply.kind !== "pace") throw new Error("the driver gave no figures");
    errors += reply.errors;
    if (reply.errors > 0) lastError = reply.lastError;
    const cpuMicrosPerRun = cpuPerUnit(cpuBefore, cpuNow(stack.pids), reply.okMillis.length);
    const loopLateMs = await loopLate(stack);
    const held = await look();
    // Collecting garbage for the look made it late.
    await loopLate(stack);
    const seen = { ...toLook(reply, (Date.now() - startMs) / 60_000), loopLateMs, cpuMicrosPerRun, held };
    looks.push(seen);
    progress(`  ${lineOf(seen)}`);
  }
  const growth = Object.fromEntries(names.map((name) => [name, perHour(looks.slice(looks.length >> 1), name)]));
  const done = looks.reduce((sum, it) => sum + it.done, 0);
  console.log(head);
  console.log(
    `${done} runs of ten calls in ${values.minutes} minutes, ${stepsPerSecond} steps/s${full === undefined ? "" : ` (full load: ${full})`}; ` +
      `${errors} failed${lastError === "" ? "" : `, last: ${lastError}`}. An ended run is kept for ${values.retention}. MiB:\n`,
  );
  console.log(toTable(looks, growth));
  if (values.json !== undefined)
    await writeFile(values.json, `${JSON.stringify({ stepsPerSecond, full, errors, growth, looks }, undefined, 2)}\n`);
  if (errors > 0) process.exitCode = 1;
}

async function openLook(stack: Stack): Promise<() => Promise<Held>> {
  const orchestrator: Inspector = await stack.inspect(stack.orchestrator);
  const sidecar: Inspector = await stack.inspect(stack.sidecar);
  return async () => {
    const stored = await storedIn(stack.nats.url);
    return {
      "orchestrator, heap": await orchestrator.heapMiB(),
      "sidecar, heap": await sidecar.heapMiB(),
      "orchestrator, resident": residentMiB(stack.pids.orchestrator),
      "sidecar, resident": residentMiB(stack.pids.sidecar),
      "nats-server, resident": residentMiB(stack.pids.natsServer),
      "NATS, store": Math.round(stored.bytes / 2 ** 20),
      "NATS, messages": stored.messages,
    };
  };
}

/** Steps/s with 64 runs in flight. */
async function fullLoad({ driver, side }: Stack): Promise<number> {
  progress("measuring the full load");
  const reply = await driver.ask({
    kind: "load",
    addresses: [side.address],
    method,
    runs: 64,
    warmMs: 5_000,
    windowMs: 15_000,
  });
  if (reply.kind !== "load" || reply.errors > 0) throw new Error("the load went wrong");
  return Math.round((reply.done * stepsOfRun) / reply.seconds);
}

/** Since it was last asked. */
async function loopLate({ orchestrator }: Stack): Promise<number> {
  const told = await scrape(orchestrator.adminPort);
  return Math.round(told("nodejs_eventloop_delay_max_seconds") * 1_000);
}

function toLook(
  { okMillis, startedMs }: Extract<DriverReply, { kind: "pace" }>,
  minute: number,
): Pick<Look, "minute" | "done" | "p50Ms" | "p99Ms" | "worstSecondMs"> {
  const seconds: number[][] = [];
  for (const [index, ms] of okMillis.entries()) (seconds[Math.floor((startedMs[index] ?? 0) / 1_000)] ??= []).push(ms);
  return {
    minute: Math.round(minute * 10) / 10,
    done: okMillis.length,
    p50Ms: Math.round(quantile(okMillis, 0.5) * 10) / 10,
    p99Ms: Math.round(quantile(okMillis, 0.99) * 10) / 10,
    worstSecondMs: Math.round(Math.max(...seconds.map((one) => quantile(one, 0.5)))),
  };
}

/** The slope of the line that fits best. */
function perHour(looks: readonly Look[], name: keyof Held): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, it) => sum + it, 0) / values.length;
  const minute = mean(looks.map((it) => it.minute));
  const value = mean(looks.map((it) => it.held[name]));
  const over = mean(looks.map((it) => (it.minute - minute) * (it.held[name] - value)));
  const under = mean(looks.map((it) => (it.minute - minute) ** 2));
  return Math.round((60 * over * 10) / under) / 10;
}

function lineOf({ minute, done, p50Ms, p99Ms, worstSecondMs, loopLateMs, cpuMicrosPerRun, held }: Look): string {
  const cpu = Object.entries(cpuMicrosPerRun).map(([name, micros]) => `${name} ${micros}`);
  return `minute ${minute}: ${done} runs, p50 ${p50Ms}, p99 ${p99Ms} ms, p50 of the worst second ${worstSecondMs}; loop late by ${loopLateMs}; CPU a run, µs: ${cpu.join(", ")}; ${names.map((name) => `${name} ${held[name]}`).join("; ")}`;
}

const rowsOfTable = 7;

/** Some of the looks, evenly, and what grew in the second half. */
function toTable(looks: readonly Look[], growth: Readonly<Record<string, number>>): string {
  const every = Math.max(1, Math.floor(looks.length / (rowsOfTable - 1)));
  const some = looks.filter((_, index) => index % every === 0 || index === looks.length - 1);
  return textTable([
    ["minute", ...some.map((it) => String(it.minute)), "growth an hour, second half"],
    ["p50 of a run, ms", ...some.map((it) => String(it.p50Ms)), ""],
    ["p99", ...some.map((it) => String(it.p99Ms)), ""],
    ["p50 of the worst second", ...some.map((it) => String(it.worstSecondMs)), ""],
    ["orchestrator's loop late, at the most", ...some.map((it) => String(it.loopLateMs)), ""],
    ...Object.keys(some[0]?.cpuMicrosPerRun ?? {}).map((name) =>
      [`${name}, CPU µs a run`, some.map((it) => String(it.cpuMicrosPerRun[name] ?? "")), ""].flat(),
    ),
    ...names.map((name) => [name, some.map((it) => String(it.held[name])), String(growth[name] ?? "")].flat()),
  ]);
}
