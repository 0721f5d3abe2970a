import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { residentNow } from "./accounting.ts";
import { numbersOf, withOptionalValue } from "./commandLine.ts";
import { describeMachine, machineText } from "./machine.ts";
import { openProfiles } from "./profile/profiles.ts";
import { inShort, toReport, toTable } from "./report.ts";
import { measureRound, startDriver, warmUp } from "./rounds.ts";
import type { Driver, RoundFigures, RoundSettings, Side, SideName } from "./rounds.ts";
import { parseServiceKind, serviceNames } from "./services/service.ts";
import { openSides, parseGrpcClient } from "./sides.ts";
import { progress } from "./stack.ts";

const help = `npm run bench [-- options]
       npm run bench -- step      idle latency alone
       npm run bench -- load      steps/s alone
       npm run bench -- wait      100,000 runs that wait for a day (--help)
       npm run bench -- timers    10,000 timers due in one second (--help)
       npm run bench -- flat      steps/s and idle latency beside 100,000 waiting runs, 1,000,000 events and more (--help)
       npm run bench -- overload  5,000 starts in a burst (--help)
       npm run bench -- neighbours  slow, hanging, flooding services and clients that don't read, and what others feel (--help)
       npm run bench -- balance   how sidecars and orchestrators share the work (--help)
       npm run bench -- start     how soon our programs are ready (--help)
       npm run bench -- sidecar   what a sidecar holds in memory (--help)
       npm run bench -- storm     a service that is away under a thousand runs (--help)
       npm run bench -- soak      half an hour at 70 % of what the machine can do (--help)
       npm run bench -- kit       the order saga in the test kit and in sweep (--help)
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
  --grpc-client <c>   what the sidecars of product and floors call with: own or grpc-js (own)
  --servers <n>       nats-servers: 1, or 3 as a cluster with three copies of each stream, all on this machine (1)
  --sync <interval>   sync_interval of nats-server: always, or such as 100ms (its default, 2m)
  --profile [folder]  CPU profiles of our programs for just what is measured, and the widest frames of each; slows them down somewhat
  --json <file>       writes the figures
  --help`;

const options = {
  rounds: { type: "string", default: "3" },
  seconds: { type: "string", default: "5" },
  warm: { type: "string", default: "2" },
  "warm-up": { type: "string", default: "10" },
  latency: { type: "string", default: "300" },
  at: { type: "string", default: "64,256" },
  "product-only": { type: "boolean", default: false },
  service: { type: "string", default: "plain" },
  "grpc-client": { type: "string", default: "own" },
  servers: { type: "string", default: "1" },
  sync: { type: "string" },
  profile: { type: "string" },
  json: { type: "string" },
  help: { type: "boolean", default: false },
} as const;

/** The product beside the floors: idle latency, load, or both. Prints the table. */
export async function measureCompared(args: readonly string[], what: "all" | "step" | "load"): Promise<void> {
  const { values } = parseArgs({ args: withOptionalValue(args, "--profile"), options });
  if (values.help) {
    console.log(help);
    return;
  }
  const service = parseServiceKind(values.service);
  const servers = Number(values.servers);
  const profiles = values.profile === undefined ? undefined : await openProfiles(values.profile);
  const machine = await describeMachine();
  progress(machineText(machine));
  await using programs = new AsyncDisposableStack();
  const sides = await openSides(programs, {
    service,
    servers,
    replicas: servers >= 3 ? 3 : 1,
    syncInterval: values.sync,
    grpcClient: parseGrpcClient(values["grpc-client"]),
    floors: values["product-only"] ? [] : ["floor", "fastest"],
    isProfiled: profiles !== undefined,
  });
  const driver = programs.use(await startDriver());
  const rounds = await measureRounds(driver, sides, {
    rounds: Number(values.rounds),
    warmUpSeconds: Number(values["warm-up"]),
    latencyRuns: what === "load" ? 0 : Number(values.latency),
    loads: what === "step" ? [] : numbersOf(values.at),
    warmMs: Number(values.warm) * 1000,
    windowMs: Number(values.seconds) * 1000,
    profiles,
  });
  const conditions = {
    service: serviceNames[service],
    syncInterval: values.sync ?? "2m, the default",
    grpcClient: values["grpc-client"],
    replicas: servers >= 3 ? 3 : 1,
    servers,
    rounds: Number(values.rounds),
    secondsEach: Number(values.seconds),
  };
  const report = toReport(
    machine,
    conditions,
    sides.map(({ name, pids }) => ({ name, rounds: rounds.get(name) ?? [], rssMiB: residentNow(pids) })),
  );
  console.log(toTable(report));
  if (profiles !== undefined) {
    console.log(
      `\n${await profiles.report()}\nThe profiles are in ${profiles.folder}; Chrome's DevTools and VS Code open them.`,
    );
  }
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(report, undefined, 2)}\n`);
}

/** Warms each side up, then measures them in turn, round by round. */
async function measureRounds(
  driver: Driver,
  sides: readonly Side[],
  settings: RoundSettings & { readonly rounds: number; readonly warmUpSeconds: number },
): Promise<ReadonlyMap<SideName, readonly RoundFigures[]>> {
  for (const side of sides) {
    progress(`warming up: ${side.name}`);
    const runs = await warmUp(driver, side, settings.warmUpSeconds);
    progress(`  ${runs * 10} steps`);
  }
  const rounds = new Map<SideName, RoundFigures[]>(sides.map((side) => [side.name, []]));
  for (let round = 1; round <= settings.rounds; round++) {
    progress(`round ${round} of ${settings.rounds}`);
    for (const side of sides) {
      const figures = await measureRound(driver, side, settings);
      progress(`  ${`${side.name}:`.padEnd(9)}${inShort(figures)}`);
      rounds.get(side.name)?.push(figures);
    }
  }
  return rounds;
}
