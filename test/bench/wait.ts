import { writeFile } from "node:fs/promises";
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { residentMiB } from "./accounting.ts";
import { buildBundles } from "./bundles.ts";
import { inFlight, openCaller } from "./caller.ts";
import { pause } from "./probe.ts";
import type { Inspector } from "./profile/inspector.ts";
import { toSayRequest } from "./sayRequest.ts";
import { heading, progress, startStack } from "./stack.ts";
import type { Stack } from "./stack.ts";
import { storedIn } from "./streams.ts";
import { textTable } from "./textTable.ts";

const help = `npm run bench -- wait [options]

Starts many runs that wait for a day. What each costs in nats-server (memory and store) and in the orchestrator (what its objects take after garbage collection,
and its resident memory); then the orchestrator is stopped and another one started: how soon it finishes its first run. The programs are the bundles.

  --runs <n>       (100000)
  --in-flight <n>  starts at a time (64)
  --json <file>    writes the figures
  --help`;

const request = toSayRequest("x".repeat(120));

/** Measures runs that wait and prints what came of it. */
export async function measureWait(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      runs: { type: "string", default: "100000" },
      "in-flight": { type: "string", default: "64" },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(help);
    return;
  }
  const runs = Number(values.runs);
  const head = await heading("plain");
  progress("starting nats-server, service and product, and warming them up");
  await using bundles = await buildBundles();
  await using stack = await startStack({ isInspected: true, bundles });
  const inspector = await stack.inspect(stack.orchestrator);
  const look = async () => ({
    heapMiB: await inspector.heapMiB(),
    orchestratorMiB: residentMiB(stack.pids.orchestrator),
    natsServerMiB: residentMiB(stack.pids.natsServer),
    ...(await storedIn(stack.nats.url)),
  });
  // The first starts make room that later ones use again.
  await startWaiting(stack, Math.ceil(runs / 20), Number(values["in-flight"]));
  const before = await look();
  const startedMs = performance.now();
  await startWaiting(stack, runs, Number(values["in-flight"]));
  const startsPerSecond = runs / ((performance.now() - startedMs) / 1_000);
  const started = await look();
  progress("waiting until the orchestrator has let go of them");
  const idleSeconds = await untilLetGo(inspector, before.heapMiB);
  const after = await look();
  const each = (a: number, b: number, unit: number): number => Math.round(((b - a) * unit) / runs);
  // A process that is looked into waits for that to end before it ends itself.
  inspector[Symbol.dispose]();
  progress("stopping the orchestrator and starting another");
  const restart = await measureRestart(stack);
  const memoryRow = (name: string, read: (of: typeof before) => number, bytesEach: number): readonly string[] => [
    name,
    ...[before, started, after].map((it) => String(read(it))),
    String(bytesEach),
  ];
  const report = {
    runs,
    startsPerSecond: Math.round(startsPerSecond),
    bytesEach: {
      natsServerResident: each(before.natsServerMiB, after.natsServerMiB, 2 ** 20),
      store: each(before.bytes, after.bytes, 1),
      orchestratorHeap: each(before.heapMiB, after.heapMiB, 2 ** 20),
      orchestratorResident: each(before.orchestratorMiB, after.orchestratorMiB, 2 ** 20),
    },
    letGoSeconds: idleSeconds,
    messagesEach: (after.messages - before.messages) / runs,
    before,
    started,
    after,
    restart,
  };
  console.log(head);
  console.log(
    textTable([
      [`${runs} runs that wait`, "before", "just started", "later", "bytes a run"],
      memoryRow("nats-server, resident MiB", (it) => it.natsServerMiB, report.bytesEach.natsServerResident),
      memoryRow("its store, MiB", (it) => Math.round(it.bytes / 2 ** 20), report.bytesEach.store),
      memoryRow("orchestrator, heap MiB after collection", (it) => it.heapMiB, report.bytesEach.orchestratorHeap),
      memoryRow("orchestrator, resident MiB", (it) => it.orchestratorMiB, report.bytesEach.orchestratorResident),
    ]),
  );
  console.log(
    `\n${report.startsPerSecond} starts/s, ${report.messagesEach.toFixed(2)} messages kept for each. The orchestrator let go of them ${idleSeconds} s after the last start.\n` +
      `Another orchestrator: ready ${restart.readyMs} ms after its start, its first run ended ${restart.firstRunMs} ms after that; resident ${restart.residentMiB} MiB.`,
  );
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(report, undefined, 2)}\n`);
}

/** Starts so many runs that wait for a day. */
export async function startWaiting({ caller }: Pick<Stack, "caller">, runs: number, atATime = 64): Promise<void> {
  let started = 0;
  const tell = setInterval(() => progress(`  ${started} of ${runs} wait`), 5_000);
  try {
    await inFlight(runs, atATime, async () => {
      await caller.start("bench.v1.Waiting/Day", request);
      started += 1;
    });
  } finally {
    clearInterval(tell);
  }
}

/** Runs without news leave memory after half a minute. Answers the seconds that it took, up to two minutes. */
async function untilLetGo(inspector: Inspector, beforeMiB: number): Promise<number> {
  const sinceMs = performance.now();
  for (;;) {
    const seconds = Math.round((performance.now() - sinceMs) / 1_000);
    if (seconds > 120 || (await inspector.heapMiB()) < beforeMiB * 1.1) return seconds;
    await pause(2_000);
  }
}

async function measureRestart(stack: Stack) {
  await stack.orchestrator.program.stop();
  const startMs = performance.now();
  const next = await stack.product.startOrchestrator();
  const readyMs = performance.now();
  using caller = openCaller(next.address);
  await caller.call("bench.v1.Chain/One", request);
  const endedMs = performance.now();
  return {
    readyMs: Math.round(readyMs - startMs),
    firstRunMs: Math.round(endedMs - readyMs),
    residentMiB: residentMiB(next.program.pid),
  };
}
