import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { freePort } from "../support/freePort.ts";
import { startNats } from "../support/nats.ts";
import { cpuNow, cpuPerUnit, median, quantile } from "./accounting.ts";
import type { Pids } from "./accounting.ts";
import { callerNames, openMeshCaller, parseCallerKind } from "./meshCaller.ts";
import type { CallerKind } from "./meshCaller.ts";
import { startProduct } from "./product.ts";
import { toSayRequest } from "./sayRequest.ts";
import { parseServiceKind, startService } from "./services/service.ts";
import { heading, progress } from "./stack.ts";
import { textTable } from "./textTable.ts";

const help = `npm run bench -- mesh [options]

What a call costs that a service makes through its sidecar: a method of another service, beside the same call made directly, and a workflow of one step, beside
the same call made at the orchestrator. All by the same client, one after the other and many at a time, round by round in turn.

  --service <kind>  plain, node or python (node)
  --caller <kind>   grpc-js, or lean: the sidecar's own client (grpc-js)
  --at <n>          calls under way, for calls/s (64)
  --rounds <n>      (3)
  --seconds <s>     for each figure (3)
  --json <file>     writes the figures
  --help`;

/** One way to make a call. */
interface Way {
  readonly name: string;
  readonly address: string;
  readonly method: string;
}

interface Figures {
  readonly idleMs: readonly number[];
  readonly perSecond: number;
  readonly cpuMicros: number;
}

/** Measures calls through sidecars and prints what came of it. */
export async function measureMesh(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      service: { type: "string", default: "node" },
      caller: { type: "string", default: "grpc-js" },
      at: { type: "string", default: "64" },
      rounds: { type: "string", default: "3" },
      seconds: { type: "string", default: "3" },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(help);
    return;
  }
  const kind = parseServiceKind(values.service);
  const by = parseCallerKind(values.caller);
  const rounds = Number(values.rounds);
  const ms = Number(values.seconds) * 1_000;
  await using started = new AsyncDisposableStack();
  const nats = started.use(await startNats());
  const echo = await startService(kind);
  started.use(echo.program);
  const listen = `127.0.0.1:${await freePort()}`;
  const caller = ["--listen", listen, "--mesh", "bench.v1.Echo"];
  const product = started.use(
    await startProduct({
      natsUrl: nats.url,
      sidecars: [
        { service: echo.address, args: ["--mesh-allow", "bench.v1.Echo=bench.v1.Caller"] },
        { service: "localhost:1", expose: ["bench.v1.Caller"], args: caller },
      ],
    }),
  );
  const [orchestrator] = product.orchestrators;
  if (orchestrator === undefined) throw new Error("the product is not whole");
  const say = "bench.v1.Echo/Say";
  const one = "bench.v1.Chain/One";
  const ways: readonly Way[] = [
    { name: "method, directly", address: echo.address, method: say },
    { name: "method, through both sidecars", address: listen, method: say },
    { name: "workflow of one step, at the orchestrator", address: orchestrator.address, method: one },
    { name: "workflow of one step, through the sidecar", address: listen, method: one },
  ];
  const pids: Pids = {
    ours: [orchestrator.program.pid, ...product.sidecars.map(({ program }) => program.pid), nats.pid()],
  };
  const found = new Map<Way, Figures[]>(ways.map((way) => [way, []]));
  for (const way of ways) await measure(way, by, Number(values.at), ms, pids);
  for (let round = 1; round <= rounds; round++) {
    for (const way of ways) {
      const figures = await measure(way, by, Number(values.at), ms, pids);
      found.get(way)?.push(figures);
      progress(
        `round ${round}: ${way.name}: p50 ${quantile(figures.idleMs, 0.5).toFixed(3)} ms, ${Math.round(figures.perSecond)} calls/s`,
      );
    }
  }
  console.log(`${await heading(kind)}Caller: ${callerNames[by]}.\n`);
  console.log(
    textTable([
      ["", "p50 ms", "p99 ms", `calls/s at ${values.at}`, "CPU a call, µs"],
      ...ways.map((way) => rowOf(way, found.get(way) ?? [])),
    ]),
  );
  console.log(
    "\nMedians of the rounds. p50 and p99 of calls made one after the other. CPU of orchestrator, both sidecars and nats-server together.",
  );
  if (values.json !== undefined)
    await writeFile(
      values.json,
      JSON.stringify(Object.fromEntries(ways.map((way) => [way.name, found.get(way)])), null, 2),
    );
}

function rowOf({ name }: Way, figures: readonly Figures[]): readonly string[] {
  const p = (part: number): string => median(figures.map(({ idleMs }) => quantile(idleMs, part))).toFixed(3);
  const perSecond = Math.round(median(figures.map((one) => one.perSecond)));
  return [name, p(0.5), p(0.99), String(perSecond), median(figures.map((one) => one.cpuMicros)).toFixed(0)];
}

async function measure({ address, method }: Way, by: CallerKind, at: number, ms: number, pids: Pids): Promise<Figures> {
  using caller = openMeshCaller(by, address);
  const idleMs: number[] = [];
  for (const endMs = performance.now() + ms; performance.now() < endMs;) {
    const beganMs = performance.now();
    await caller.call(method, request);
    idleMs.push(performance.now() - beganMs);
  }
  const before = cpuNow(pids);
  const beganMs = performance.now();
  let calls = 0;
  const endMs = beganMs + ms;
  const loop = async (): Promise<void> => {
    for (; performance.now() < endMs; calls++) await caller.call(method, request);
  };
  await Promise.all(Array.from({ length: at }, loop));
  const seconds = (performance.now() - beganMs) / 1_000;
  const cpu = cpuPerUnit(before, cpuNow(pids), calls);
  return { idleMs, perSecond: calls / seconds, cpuMicros: Object.values(cpu).reduce((sum, each) => sum + each, 0) };
}

const request = toSayRequest("hello");
