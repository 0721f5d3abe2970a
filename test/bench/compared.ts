import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { freePort } from "../support/freePort.ts";
import { startNats } from "../support/nats.ts";
import type { Nats } from "../support/nats.ts";
import { startNatsCluster } from "../support/natsCluster.ts";
import { startNode } from "../support/program.ts";
import type { Program } from "../support/program.ts";
import { residentNow } from "./accounting.ts";
import { nodeFlags } from "../../bin/nodeFlags.mjs";
import { numbersOf, withOptionalValue } from "./commandLine.ts";
import { makeFloorStreams } from "./floor/bus.ts";
import type { FloorKind } from "./floor/bus.ts";
import { describeMachine, machineText } from "./machine.ts";
import { startProduct } from "./product.ts";
import { inspectFlag, openInspector } from "./profile/inspector.ts";
import type { Inspector } from "./profile/inspector.ts";
import { openProfiles } from "./profile/profiles.ts";
import { inShort, toReport, toTable } from "./report.ts";
import { measureRound, startDriver, warmUp } from "./rounds.ts";
import type { RoundFigures, Side } from "./rounds.ts";
import { parseServiceKind, serviceNames, startService } from "./services/service.ts";

const help = `npm run bench [-- options]
       npm run bench -- step      idle latency alone
       npm run bench -- load      steps/s alone
       npm run bench -- wait      100,000 runs that wait for a day (--help)
       npm run bench -- timers    10,000 timers due in one second (--help)
       npm run bench -- flat      steps/s and idle latency beside 100,000 waiting runs, 1,000,000 events and more (--help)
       npm run bench -- overload  5,000 starts in a burst (--help)
       npm run bench -- neighbours  slow, hanging, flooding services and clients that don't read, and what others feel (--help)
       npm run bench -- balance   how sidecars and orchestrators share the work (--help)
       npm run bench -- check     a tree of 100 workflows through the checker
       npm run bench -- engine    turns of the engine alone
       npm run bench -- loop      one run of many passes, its owner killed on the way (--help)
       npm run bench -- each      for_each over many items (--help)
       npm run bench -- cancel    how soon a cancel reaches the service (--help)
       npm run bench -- sim       seeds a second of the simulation (--help)
       npm run bench -- purge     what it costs to cut a run out of a log with a million messages of others

Runs chains of 1 and 10 calls through the product and through two floors beside it, the least that does what it does and the fastest that is known, round
by round in turn, and prints medians. It takes four minutes, and means something only on a machine that does nothing else. docs/performance.md says what
each figure is.

  --rounds <n>        rounds of each (3)
  --seconds <s>       that one load is measured for (5)
  --warm <s>          seconds that it runs before (2)
  --warm-up <s>       seconds that each side is loaded for before the first round (10)
  --latency <n>       runs for one idle figure (300)
  --at <list>         runs in flight (64,256)
  --product-only      without the floors
  --service <kind>    what answers: plain (Node, HTTP/2 on plain sockets; the cheapest), node (grpc-js) or python (grpcio) (plain)
  --servers <n>       nats-servers: 1, or 3 as a cluster with three copies of each stream, all on this machine (1)
  --sync <interval>   sync_interval of nats-server: always, or such as 100ms (its default, 2m)
  --profile [folder]  CPU profiles of our programs for just what is measured, and the widest frames of each; slows them down somewhat
  --json <file>       writes the figures
  --help`;

const progress = (line: string): void => void process.stderr.write(`${line}\n`);

/** The product beside the floor: idle latency, load, or both. Prints the table. */
export async function measureCompared(args: readonly string[], what: "all" | "step" | "load"): Promise<void> {
  const { values } = parseArgs({
    args: withOptionalValue(args, "--profile"),
    options: {
      rounds: { type: "string", default: "3" },
      seconds: { type: "string", default: "5" },
      warm: { type: "string", default: "2" },
      "warm-up": { type: "string", default: "10" },
      latency: { type: "string", default: "300" },
      at: { type: "string", default: "64,256" },
      "product-only": { type: "boolean", default: false },
      service: { type: "string", default: "plain" },
      servers: { type: "string", default: "1" },
      sync: { type: "string" },
      profile: { type: "string" },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(help);
    return;
  }
  const service = parseServiceKind(values.service);
  const machine = await describeMachine();
  await using programs = new AsyncDisposableStack();
  const profiles = values.profile === undefined ? undefined : await openProfiles(values.profile);
  progress(machineText(machine));
  progress(`starting nats-server, service, ${values["product-only"] ? "" : "floors "}and product`);
  const servers = Number(values.servers);
  const replicas = servers >= 3 ? 3 : 1;
  const sync = values.sync === undefined ? {} : { syncInterval: values.sync };
  const nats = programs.use(
    servers === 1 ? toOne(await startNats(sync)) : await startNatsCluster({ ...sync, servers }),
  );
  const echo = await startService(service);
  programs.use(echo.program);
  const about = { nats, replicas, service: echo.address, isProfiled: profiles !== undefined };
  const toSide = async (
    name: Side["name"],
    started: { readonly address: string; readonly own: Readonly<Record<string, Program>> },
  ): Promise<Side> => {
    const pids = Object.entries(started.own).map(([program, { pid }]) => [program, pid] as const);
    const inspectors: Record<string, Inspector> = {};
    if (profiles !== undefined) {
      for (const [program, it] of Object.entries(started.own))
        inspectors[program] = programs.use(await openInspector(it));
    }
    return {
      name,
      address: started.address,
      pids: { ...Object.fromEntries(pids), natsServer: nats.servers.map((it) => it.pid()), service: echo.program.pid },
      inspectors,
    };
  };
  const sides: Side[] = [];
  for (const kind of values["product-only"] ? [] : (["floor", "fastest"] as const))
    sides.push(await toSide(kind, await startFloor(programs, kind, about)));
  const product = programs.use(
    await startProduct({
      natsUrl: nats.url,
      replicas,
      sidecars: [{ service: echo.address }],
      isInspected: profiles !== undefined,
    }),
  );
  const [orchestrator] = product.orchestrators;
  const [sidecar] = product.sidecars;
  if (orchestrator === undefined || sidecar === undefined) throw new Error("the product is not whole");
  const own = { orchestrator: orchestrator.program, sidecar: sidecar.program };
  sides.push(await toSide("product", { address: orchestrator.address, own }));
  const driver = programs.use(await startDriver());
  const settings = {
    latencyRuns: what === "load" ? 0 : Number(values.latency),
    loads: what === "step" ? [] : numbersOf(values.at),
    warmMs: Number(values.warm) * 1000,
    windowMs: Number(values.seconds) * 1000,
    profiles,
  };
  for (const side of sides) {
    progress(`warming up: ${side.name}`);
    const runs = await warmUp(driver, side, Number(values["warm-up"]));
    progress(`  ${runs * 10} steps`);
  }
  const rounds = new Map<string, RoundFigures[]>(sides.map((side) => [side.name, []]));
  for (let round = 1; round <= Number(values.rounds); round++) {
    progress(`round ${round} of ${values.rounds}`);
    for (const side of sides) {
      const figures = await measureRound(driver, side, settings);
      progress(`  ${`${side.name}:`.padEnd(9)}${inShort(figures)}`);
      rounds.get(side.name)?.push(figures);
    }
  }
  const conditions = {
    service: serviceNames[service],
    syncInterval: values.sync ?? "2m, the default",
    replicas,
    servers,
    rounds: Number(values.rounds),
    secondsEach: Number(values.seconds),
  };
  const report = toReport(
    machine,
    conditions,
    sides.map((side) => ({
      name: side.name,
      rounds: rounds.get(side.name) ?? [],
      rssMiB: residentNow(side.pids),
    })),
  );
  console.log(toTable(report));
  if (profiles !== undefined) {
    console.log(
      `\n${await profiles.report()}\nThe profiles are in ${profiles.folder}; Chrome's DevTools and VS Code open them.`,
    );
  }
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(report, undefined, 2)}\n`);
}

/** One server as a cluster of one. */
function toOne(nats: Nats): AsyncDisposable & { readonly url: string; readonly servers: readonly Nats[] } {
  return { url: nats.url, servers: [nats], [Symbol.asyncDispose]: () => nats[Symbol.asyncDispose]() };
}

async function startFloor(
  programs: AsyncDisposableStack,
  kind: FloorKind,
  about: {
    readonly nats: { readonly url: string };
    readonly replicas: number;
    readonly service: string;
    readonly isProfiled: boolean;
  },
): Promise<{ readonly address: string; readonly own: Readonly<Record<string, Program>> }> {
  const port = await freePort();
  const { url } = about.nats;
  await makeFloorStreams(url, kind, about.replicas);
  const start = async (name: "orchestrator" | "sidecar", args: readonly string[]): Promise<Program> =>
    programs.use(
      await startNode(`test/bench/floor/${name}.ts`, {
        args,
        readyLine: /READY/,
        name: `${name} of the ${kind}`,
        nodeArgs: [...nodeFlags[name], ...(about.isProfiled ? [inspectFlag] : [])],
      }),
    );
  const orchestrator = await start("orchestrator", [url, String(port), kind]);
  const sidecar = await start("sidecar", [url, about.service, kind]);
  return { address: `127.0.0.1:${port}`, own: { orchestrator, sidecar } };
}
