// npm run bench: the product beside the floor, on this machine, in one run. See docs/performance.md.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { parseArgs } from "node:util";
import { startNats } from "../support/nats.ts";
import { freePort } from "../support/freePort.ts";
import { repositoryRoot, runProgram, startNode } from "../support/program.ts";
import type { Program } from "../support/program.ts";
import { residentMiB } from "./accounting.ts";
import { measureEngine } from "./engine.ts";
import { measureCancel } from "./long/cancel.ts";
import { measureEach } from "./long/each.ts";
import { measureLoop } from "./long/loop.ts";
import { makeFloorStreams } from "./floor/bus.ts";
import { measurePurge } from "./purge.ts";
import { measureSimulation } from "./sim.ts";
import { inShort, toReport, toTable } from "./report.ts";
import { measureRound, startDriver, warmUp } from "./rounds.ts";
import type { RoundFigures, Side } from "./rounds.ts";

/** What else it measures. */
const others: Readonly<Record<string, (args: readonly string[]) => Promise<unknown>>> = {
  check: () => import("./check.ts"),
  engine: measureEngine,
  loop: measureLoop,
  each: measureEach,
  cancel: measureCancel,
  purge: measurePurge,
  sim: measureSimulation,
};
const other = others[process.argv[2] ?? ""];
if (other !== undefined) {
  await other(process.argv.slice(3));
  process.exit(0);
}

const help = `npm run bench [-- options]
       npm run bench -- check     a tree of 100 workflows through the checker
       npm run bench -- engine    turns of the engine alone
       npm run bench -- loop      one run of many passes, its owner killed on the way (--help)
       npm run bench -- each      for_each over many items (--help)
       npm run bench -- cancel    how soon a cancel reaches the service (--help)
       npm run bench -- sim       seeds a second of the simulation (--help)
       npm run bench -- purge     what it costs to cut a run out of a log with a million messages of others

Runs chains of 1 and 10 calls through the product and through the floor beside it, round by round in turn, and prints medians. It takes
about two minutes, and means something only on a machine that does nothing else. docs/performance.md says what each figure is.

  --rounds <n>     rounds of each (3)
  --window <s>     seconds that one load is measured for (5)
  --warm <s>       seconds that it runs before (2)
  --warm-up <s>    seconds that each side is loaded for before the first round (10)
  --latency <n>    runs for one idle figure (300)
  --loads <list>   runs in flight (64,256)
  --json <file>    writes the figures
  --help`;

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    window: { type: "string", default: "5" },
    warm: { type: "string", default: "2" },
    "warm-up": { type: "string", default: "10" },
    latency: { type: "string", default: "300" },
    loads: { type: "string", default: "64,256" },
    json: { type: "string" },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(help);
  process.exit(0);
}
const progress = (line: string): void => void process.stderr.write(`${line}\n`);

await using programs = new AsyncDisposableStack();
const nats = programs.use(await startNats());
const start = async (
  file: string,
  args: readonly string[],
  readyLine: RegExp,
  env: Readonly<Record<string, string>> = {},
): Promise<Program> => programs.use(await startNode(file, { args, readyLine, env, name: file }));

progress("starting nats-server, service, floor and product");
const echoPort = await freePort();
const echo = await start("test/bench/echo.ts", [String(echoPort)], /READY/);
const floor = await startFloor();
const product = await startProduct();
const driver = programs.use(await startDriver());
const settings = {
  latencyRuns: Number(values.latency),
  loads: values.loads.split(",").map(Number),
  warmMs: Number(values.warm) * 1000,
  windowMs: Number(values.window) * 1000,
};
for (const side of [floor, product]) {
  progress(`warming up: ${side.name}`);
  const runs = await warmUp(driver, side, Number(values["warm-up"]));
  progress(`  ${runs * 10} steps`);
}
const rounds: { product: RoundFigures; floor: RoundFigures }[] = [];
for (let round = 1; round <= Number(values.rounds); round++) {
  progress(`round ${round} of ${values.rounds}`);
  const floorFigures = await measureRound(driver, floor, settings);
  progress(`  floor:   ${inShort(floorFigures)}`);
  const productFigures = await measureRound(driver, product, settings);
  progress(`  product: ${inShort(productFigures)}`);
  rounds.push({ floor: floorFigures, product: productFigures });
}
const rss = Object.entries(product.pids).map(([name, pid]) => [name, residentMiB(pid)]);
const report = toReport(rounds, Object.fromEntries(rss));
console.log(toTable(report));
if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(report, undefined, 2)}\n`);

async function startFloor(): Promise<Side> {
  const port = await freePort();
  await makeFloorStreams(nats.url);
  const orchestrator = await start("test/bench/floor/orchestrator.ts", [nats.url, String(port)], /READY/);
  const sidecar = await start("test/bench/floor/sidecar.ts", [nats.url, `127.0.0.1:${echoPort}`], /READY/);
  return { name: "floor", address: `127.0.0.1:${port}`, pids: shared({ orchestrator, sidecar }) };
}

async function startProduct(): Promise<Side> {
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  const env = { NATS_URL: nats.url };
  const orchestrator = await start(
    "orchestrator/src/main.ts",
    ["--listen", address, "--admin-port", "0"],
    /"msg":"ready"/,
    {
      ...env,
      // Sampled at 1 %, and what is sampled is really sent.
      OTEL_EXPORTER_OTLP_ENDPOINT: await openSink(),
      OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
      OTEL_TRACES_SAMPLER_ARG: "0.01",
    },
  );
  const deployed = await runProgram({
    name: "deploy",
    command: process.execPath,
    args: [
      path.join(repositoryRoot, "bin/sidestep.js"),
      "deploy",
      path.join(import.meta.dirname, "contract"),
      "--address",
      address,
    ],
  });
  if (deployed.code !== 0) throw new Error(`deploy failed:\n${deployed.lines.join("\n")}`);
  const sidecar = await start(
    "sidecar/src/main.ts",
    ["--service", `127.0.0.1:${echoPort}`, "--expose", "bench.v1.Echo", "--admin-port", "0", "--concurrency", "256"],
    /sidecar ready/,
    env,
  );
  return { name: "product", address, pids: shared({ orchestrator, sidecar }) };
}

function shared(own: Readonly<Record<string, Program>>): Readonly<Record<string, number>> {
  const pids = Object.entries(own).map(([name, program]) => [name, program.pid] as const);
  return { ...Object.fromEntries(pids), natsServer: nats.pid(), service: echo.pid };
}

/** Takes spans and throws them away. */
async function openSink(): Promise<string> {
  const server = createServer((request, response) => {
    request.resume().on("end", () => response.writeHead(200, { "content-type": "application/x-protobuf" }).end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  programs.defer(() => void server.close());
  server.unref();
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
