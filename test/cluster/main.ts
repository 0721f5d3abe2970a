import { parseArgs } from "node:util";
import { toRandom } from "../chaos/random.ts";
import type { Growth } from "./growth.ts";
import { playAllKilled, playFaults, playMachine, playRolling } from "./scenes.ts";
import type { Outcome } from "./scenes.ts";
import type { TimersOutcome } from "./timers.ts";
import { playTimers } from "./timers.ts";

const help = `npm run test:cluster [-- options] [scene…]

Three nats-servers on this machine, three copies of each stream, two orchestrators, and orders under way all the time:
  faults     the leader of a log, the tasks, the timers, … is killed (kill -9) or stopped (SIGSTOP)
  all        all three servers are killed at once and started again
  machine    a server and the orchestrator that owns the partitions die together and are away for 10 s
  rolling    each server is stopped and started again, one after the other: by SIGTERM, then in lame duck mode
  timers     the leader of the timers alone is killed, while 20 timers a second are armed; without orders
Without a scene: all of them.

  --kills N      kill -9 of a leader [20]
  --stops N      SIGSTOP of a leader, for 4 s and for 10 s, each [4]
  --in-flight N  orders at any time [12]
  --seed N       the order of the faults [by the clock]
  --logs FOLDER  keeps what orchestrators and sidecars write
Judged as npm run chaos does it: nothing lost, nothing doubled. Told: how much longer orders took that were under way at a fault.
The exit code is 1 when anything is lost or doubled, or an order took longer than the outage explains. test/cluster/README.md says more.
  --help`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    kills: { type: "string", default: "20" },
    stops: { type: "string", default: "4" },
    "in-flight": { type: "string", default: "12" },
    seed: { type: "string", default: String(Date.now() % 100_000) },
    logs: { type: "string" },
    help: { type: "boolean", default: false },
  },
});

/** What orders may take beyond an outage: retries have pauses of a second, and everything begins anew at once, on one machine. */
const allowedMs = 3_000;
/** A task that was on its way to a sidecar when the server between them went is delivered again after 7 s. */
const redeliveredMs = 7_000;

if (values.help) console.log(help);
else process.exitCode = await playAll();

async function playAll(): Promise<number> {
  console.log(`seed ${values.seed}`);
  const options = {
    inFlight: Number(values["in-flight"]),
    random: toRandom(Number(values.seed)),
    logs: values.logs,
    progress: (line: string) => console.log(line),
  };
  const stops = Number(values.stops);
  const outcomes: Outcome[] = [];
  const breaches: string[] = [];
  const underOrders = async (outcome: Promise<Outcome>): Promise<void> => void outcomes.push(await outcome);
  const scenes: Readonly<Record<string, () => Promise<void>>> = {
    faults: () => underOrders(playFaults({ kill: Number(values.kills), stop4: stops, stop10: stops }, options)),
    all: () => underOrders(playAllKilled(2, options)),
    machine: () => underOrders(playMachine(2, options)),
    rolling: () => underOrders(playRolling(options)),
    timers: async () => void breaches.push(...reportTimers(await playTimers(3, options.progress))),
  };
  const chosen = positionals.length === 0 ? Object.keys(scenes) : positionals;
  const unknown = chosen.filter((it) => !(it in scenes));
  if (unknown.length > 0) {
    console.error(`no such scene: ${unknown.join(", ")}\n\n${help}`);
    return 2;
  }
  for (const name of chosen) await scenes[name]?.();
  if (outcomes.length > 0) breaches.push(...report(outcomes));
  console.log(`${breaches.length} breaches`);
  for (const breach of breaches) console.log(`BREACH ${breach}`);
  return breaches.length === 0 ? 0 : 1;
}

/** Prints what came of the timers; a sentence for each thing that is not as it should be. */
function reportTimers({ faults, armed, missing, doubled, early, latestMs }: TimersOutcome): readonly string[] {
  const late = latestMs.flatMap((ms, i) => {
    const outageMs = faults[i]?.outageMs ?? 0;
    console.log(`timers: led again after ${seconds(outageMs)} s, the latest reached the log ${seconds(ms)} s late`);
    return ms > outageMs + allowedMs
      ? [`a timer was ${seconds(ms)} s late, the outage was ${seconds(outageMs)} s`]
      : [];
  });
  console.log(`timers: ${armed} armed, ${missing} missing, ${doubled} doubled, ${early} early`);
  return [...late, ...(missing + early > 0 ? [`${missing} timers are missing, ${early} came early`] : [])];
}

/** Prints a row for each kind of fault; a sentence for each thing that is not as it should be. */
function report(outcomes: readonly Outcome[]): readonly string[] {
  console.log(
    "fault        times  orders met   outage s  growth s: median, worst  beyond s  in doubt: orders, growth s",
  );
  const late: string[] = [];
  for (const { growths } of outcomes) {
    for (const kind of new Set(growths.map((it) => it.fault.kind))) {
      const rows = growths.filter((it) => it.fault.kind === kind);
      console.log(toRow(kind, rows));
      for (const { fault, mostMs } of rows)
        if (mostMs > Math.max(fault.outageMs, redeliveredMs) + allowedMs)
          late.push(`${kind}: an order took ${seconds(mostMs)} s longer, the outage was ${seconds(fault.outageMs)} s`);
    }
  }
  const orders = outcomes.reduce((sum, it) => sum + it.orders, 0);
  const usual = outcomes.map((it) => `${it.usualMs} ms`).join(", ");
  console.log(`${orders} orders, undisturbed ones in ${usual}`);
  return [...outcomes.flatMap((it) => it.breaches), ...late];
}

function toRow(kind: string, rows: readonly Growth[]): string {
  const outages = rows.map((it) => it.fault.outageMs).toSorted((a, b) => a - b);
  const worst = rows.map((it) => it.mostMs).toSorted((a, b) => a - b);
  const beyond = Math.max(...rows.map((it) => it.mostMs - it.fault.outageMs));
  const met = rows.reduce((sum, it) => sum + it.orders, 0);
  const doubtful = rows.reduce((sum, it) => sum + it.inDoubt.orders, 0);
  const columns = [
    kind.padEnd(12),
    String(rows.length).padStart(5),
    String(met).padStart(11),
    `${seconds(outages[0] ?? 0)}-${seconds(outages.at(-1) ?? 0)}`.padStart(10),
    seconds(worst[Math.floor(worst.length / 2)] ?? 0).padStart(17),
    seconds(worst.at(-1) ?? 0).padStart(6),
    seconds(beyond).padStart(9),
    String(doubtful).padStart(17),
    seconds(Math.max(...rows.map((it) => it.inDoubt.mostMs))).padStart(9),
  ];
  return columns.join(" ");
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(1);
}
