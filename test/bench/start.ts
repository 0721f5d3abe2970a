import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { nodeFlags } from "../../bin/nodeFlags.mjs";
import { freePort } from "../support/freePort.ts";
import { startNats } from "../support/nats.ts";
import { startProgram } from "../support/program.ts";
import type { ProgramOptions } from "../support/program.ts";
import { cpuMicros, median, privateMiB, residentMiB } from "./accounting.ts";
import { buildBundles } from "./bundles.ts";
import type { Bundles } from "./bundles.ts";
import { describeMachine, machineText } from "./machine.ts";
import { deploy } from "./product.ts";
import { startService } from "./services/service.ts";
import { textTable } from "./textTable.ts";
import { writeWorkflowTree } from "./workflowTree.ts";

const help = `npm run bench -- start [options]

From the moment at which a program is started to the line by which it says that it is ready, from cold, as a bundle with the flags for Node that it has when
it is run by its name, and as sources; in turn, and medians are told. A Node that does nothing is measured beside them.

  --rounds <n>       starts of each (7)
  --workflows <n>    deployed for the orchestrators that have some (200)
  --json <file>      writes the figures
  --help`;

/** Where a start says that it is ready, and what is run for it; each start has arguments of its own. */
interface Case {
  readonly name: string;
  readonly readyLine: RegExp;
  readonly start: () => Promise<Omit<ProgramOptions, "name" | "readyLine">>;
}

interface Start {
  readonly millis: number;
  readonly cpuMillis: number;
  readonly privateMiB: number;
  readonly residentMiB: number;
}

const progress = (line: string): void => void process.stderr.write(`${line}\n`);

/** Measures starts and prints them as a table. */
export async function measureStart(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: "string", default: "7" },
      workflows: { type: "string", default: "200" },
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
  const cases = await prepareCases(stage, bundles, Number(values.workflows));
  const starts = new Map<string, Start[]>(cases.map(({ name }) => [name, []]));
  for (let round = 1; round <= Number(values.rounds); round++) {
    progress(`round ${round} of ${values.rounds}`);
    for (const it of cases) starts.get(it.name)?.push(await measure(it));
  }
  console.log(toTable(starts));
  if (values.json !== undefined)
    await writeFile(values.json, `${JSON.stringify({ machine, starts: Object.fromEntries(starts) }, undefined, 2)}\n`);
}

async function prepareCases(
  stage: AsyncDisposableStack,
  bundles: Bundles,
  workflows: number,
): Promise<readonly Case[]> {
  const [bare, full] = [stage.use(await startNats()), stage.use(await startNats())];
  const service = await startService("plain");
  stage.use(service.program);
  const node = process.execPath;
  const orchestrator = (name: string, url: string, isBundle: boolean, more: readonly string[] = []): Case => ({
    name: `orchestrator, ${isBundle ? "bundle" : "sources"}, ${name}`,
    readyLine: /"msg":"ready"/,
    start: async () => ({
      command: node,
      args: [
        ...(isBundle ? nodeFlags.orchestrator : []),
        isBundle ? bundles.file("orchestrator") : "orchestrator/src/main.ts",
        "--listen",
        `127.0.0.1:${await freePort()}`,
        "--admin-port",
        "0",
        ...more,
      ],
      env: { NATS_URL: url },
    }),
  });
  const sidecar = (isBundle: boolean, readyLine: RegExp, until: string): Case => ({
    name: `sidecar, ${isBundle ? "bundle" : "sources"}, ${until}`,
    readyLine,
    start: () =>
      Promise.resolve({
        command: node,
        args: [
          ...(isBundle ? nodeFlags.sidecar : []),
          isBundle ? bundles.file("sidecar") : "sidecar/src/main.ts",
          "--service",
          service.address,
          "--expose",
          "bench.v1.Echo",
          "--admin-port",
          "0",
        ],
        env: { NATS_URL: bare.url },
      }),
  });
  progress(`deploying ${workflows} workflows`);
  const folder = await mkdtemp(path.join(os.tmpdir(), "sidestep-bench-"));
  stage.defer(() => rm(folder, { recursive: true, force: true }));
  await writeWorkflowTree(folder, workflows);
  await deployTree(full.url, folder);
  // So that the streams are there for the others.
  await measure(orchestrator("none deployed", bare.url, true));
  let fresh = 0;
  return [
    { name: "node, nothing", readyLine: /up/, start: async () => ({ command: node, args: ["-p", "'up'"] }) },
    sidecar(true, /"msg":"sidecar ready"/, "ready"),
    sidecar(true, /"msg":"services found"/, "takes tasks"),
    sidecar(false, /"msg":"sidecar ready"/, "ready"),
    orchestrator("none deployed", bare.url, true),
    orchestrator(`${workflows} deployed`, full.url, true),
    orchestrator(`${workflows} deployed`, full.url, false),
    {
      ...orchestrator("the first of all", bare.url, true),
      start: () => orchestrator("", bare.url, true, ["--prefix", `first${fresh++}`]).start(),
    },
  ];
}

/** Through an orchestrator that is there for this alone. */
async function deployTree(url: string, folder: string): Promise<void> {
  const address = `127.0.0.1:${await freePort()}`;
  await using orchestrator = await startProgram({
    name: "orchestrator",
    command: process.execPath,
    args: ["orchestrator/src/main.ts", "--listen", address, "--admin-port", "0"],
    env: { NATS_URL: url },
    readyLine: /"msg":"ready"/,
  });
  await deploy(folder, address);
  await orchestrator.stop();
}

async function measure({ name, readyLine, start }: Case): Promise<Start> {
  const options = await start();
  const begun = performance.now();
  await using program = await startProgram({ name, readyLine, ...options });
  const millis = performance.now() - begun;
  const figures = {
    millis,
    cpuMillis: cpuMicros(program.pid) / 1000,
    privateMiB: privateMiB(program.pid),
    residentMiB: residentMiB(program.pid),
  };
  await program.stop();
  return figures;
}

function toTable(starts: ReadonlyMap<string, readonly Start[]>): string {
  const rows = [...starts].map(([name, all]) => {
    const of = (figure: keyof Start): readonly number[] => all.map((it) => it[figure]);
    const millis = of("millis");
    const told = (value: number): string => value.toFixed(0);
    return [
      name,
      told(median(millis)),
      `${told(Math.min(...millis))} to ${told(Math.max(...millis))}`,
      told(median(of("cpuMillis"))),
      median(of("privateMiB")).toFixed(1),
      told(median(of("residentMiB"))),
    ];
  });
  return textTable([["", "ms", "range", "CPU ms", "private MiB", "resident MiB"], ...rows]);
}
