import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { nodeFlags } from "../../bin/nodeFlags.mjs";
import { startNats } from "../support/nats.ts";
import { startProgram } from "../support/program.ts";
import type { Program } from "../support/program.ts";
import { cpuMicros, privateMiB, residentMiB } from "./accounting.ts";
import { buildBundles } from "./bundles.ts";
import { describeMachine, machineText } from "./machine.ts";
import { startProduct } from "./product.ts";
import { pause } from "./probe.ts";
import { startDriver } from "./rounds.ts";
import type { Driver } from "./rounds.ts";
import { progress } from "./stack.ts";
import { startService } from "./services/service.ts";
import { textTable } from "./textTable.ts";

const help = `npm run bench -- sidecar [options]

What a sidecar holds in memory: the bundle, with the flags for Node that it has when it is run by its name or with others, idle and under load, and the CPU
that a step then costs it. Each set of flags has the load to itself.

  --minutes <n>      under load (1)
  --at <n>           runs in flight (64)
  --idle <s>         seconds after the start at which it is looked at idle (10)
  --flags=<sets>     sets of flags to compare, one after the other, with a comma between them; "none" is none (those it is run with)
  --json <file>      writes the figures
  --help`;

interface Figures {
  readonly flags: string;
  readonly idle: Memory;
  /** After the load; `most` while it ran. */
  readonly loaded: Memory;
  readonly most: Memory;
  readonly steps: number;
  readonly cpuMicrosPerStep: number;
}

interface Memory {
  readonly privateMiB: number;
  readonly residentMiB: number;
}

const lookEveryMs = 500;
const warmMs = 10_000;

/** Measures the sidecar's memory and prints it as a table. */
export async function measureSidecar(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: "string", default: "1" },
      at: { type: "string", default: "64" },
      idle: { type: "string", default: "10" },
      flags: { type: "string", default: nodeFlags.sidecar.join(" ") },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(help);
    return;
  }
  const machine = await describeMachine();
  progress(machineText(machine));
  await using stage = new AsyncDisposableStack();
  const bundles = stage.use(await buildBundles());
  const nats = stage.use(await startNats());
  const service = await startService("plain");
  stage.use(service.program);
  const product = stage.use(await startProduct({ natsUrl: nats.url, sidecars: [] }));
  const driver = stage.use(await startDriver());
  const addresses = product.orchestrators.map(({ address }) => address);
  const all: Figures[] = [];
  for (const set of values.flags.split(",")) {
    const flags = set === "none" ? [] : set.split(" ");
    progress(`with ${set}`);
    await using sidecar = await startProgram({
      name: "sidecar",
      command: process.execPath,
      args: [
        ...flags,
        bundles.file("sidecar"),
        "--service",
        service.address,
        "--expose",
        "bench.v1.Echo",
        "--concurrency",
        "256",
        "--admin-port",
        "0",
      ],
      env: { NATS_URL: nats.url },
      readyLine: /sidecar ready/,
    });
    await pause(Number(values.idle) * 1000);
    const idle = look(sidecar);
    const figures = await load(driver, addresses, sidecar, Number(values.at), Number(values.minutes) * 60_000);
    all.push({ flags: set, idle, ...figures });
    progress(
      `  idle ${inShort(idle)}, under load at the most ${inShort(figures.most)}, ${figures.cpuMicrosPerStep} µs a step`,
    );
    await sidecar.stop();
  }
  console.log(toTable(all));
  if (values.json !== undefined)
    await writeFile(values.json, `${JSON.stringify({ machine, sidecars: all }, undefined, 2)}\n`);
}

/** Memory is looked at twice a second; CPU counts from when JavaScript has come up to its speed. */
async function load(
  driver: Driver,
  addresses: readonly string[],
  sidecar: Program,
  runs: number,
  windowMs: number,
): Promise<Omit<Figures, "flags" | "idle">> {
  const most = { privateMiB: 0, residentMiB: 0 };
  const timer = setInterval(() => {
    const now = look(sidecar);
    most.privateMiB = Math.max(most.privateMiB, now.privateMiB);
    most.residentMiB = Math.max(most.residentMiB, now.residentMiB);
  }, lookEveryMs);
  let cpu = 0;
  const request = { kind: "load", addresses, method: "/bench.v1.Chain/Ten", runs, warmMs, windowMs } as const;
  const reply = await driver.ask(request, ({ kind }) => {
    if (kind === "counting") cpu -= cpuMicros(sidecar.pid);
    if (kind === "counted") cpu += cpuMicros(sidecar.pid);
  });
  clearInterval(timer);
  if (reply.kind !== "load") throw new Error("the driver gave no figures");
  if (reply.errors > 0) throw new Error(`${reply.errors} runs failed, last: ${reply.lastError}`);
  const steps = reply.done * 10;
  return { loaded: look(sidecar), most, steps, cpuMicrosPerStep: Math.round(cpu / steps) };
}

function look({ pid }: Program): Memory {
  return { privateMiB: privateMiB(pid), residentMiB: residentMiB(pid) };
}

function inShort(memory: Memory): string {
  return `${memory.privateMiB} MiB private and ${memory.residentMiB} resident`;
}

function toTable(all: readonly Figures[]): string {
  const told = ({ privateMiB: own, residentMiB: resident }: Memory): string => `${own.toFixed(0)} / ${resident}`;
  const head = ["flags", "idle", "after the load", "at the most", "steps", "CPU µs a step"];
  const rows = all.map((it) => [
    it.flags,
    told(it.idle),
    told(it.loaded),
    told(it.most),
    String(it.steps),
    String(it.cpuMicrosPerStep),
  ]);
  return `Memory in MiB, private / resident.\n\n${textTable([head, ...rows])}`;
}
