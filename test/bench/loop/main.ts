import { jetstreamManager } from "@nats-io/jetstream";
import path from "node:path";
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { connectTo } from "../../support/connectTo.ts";
import { startNats } from "../../support/nats.ts";
import { makeCall, makePlan, names, openFakeSidecar, openOrchestrator } from "../../support/orchestrators.ts";
import { startNode } from "../../support/program.ts";
import type { Program } from "../../support/program.ts";
import { parseRunId } from "../../../proto/wire/runId.ts";
import { residentMiB } from "../accounting.ts";

const help = `npm run bench -- loop [options]

One run that makes a call again and again: how fast, in how much memory and disk, and how soon it goes on after its orchestrator was killed
in the middle. A pass is a call, its outcome and a timer.

  --passes <n>     calls (100000)
  --help`;

/** Measures a run of many passes on real NATS and prints what came of it. */
export async function measureLoop(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { passes: { type: "string", default: "100000" }, help: { type: "boolean", default: false } },
  });
  if (values.help) {
    console.log(help);
    return;
  }
  const passes = Number(values.passes);
  await using nats = await startNats();
  const file = path.join(import.meta.dirname, "orchestrator.ts");
  const startOwner = (order: string): Promise<Program> =>
    startNode(file, { args: [nats.url, String(passes), order], readyLine: /READY/, name: "orchestrator" });
  await using first = await startOwner("begin");
  const runId = parseRunId(first.lines.find((line) => line.startsWith("READY"))?.slice("READY ".length) ?? "");
  if (runId === undefined) throw new Error("the orchestrator did not start the run");
  await using front = await openOrchestrator(nats.url, makePlan([makeCall("again")]), {
    over: { ownsPartitions: false },
  });
  let made = 0;
  const half = Promise.withResolvers<void>();
  let next: PromiseWithResolvers<void> | undefined;
  const startedMs = performance.now();
  await using _sidecar = await openFakeSidecar(nats.url, () => {
    made++;
    if (made === passes >> 1) half.resolve();
    next?.resolve();
    return made >= passes ? "complete" : { code: 14 };
  });
  const watch = watchMemory(() => made, nats.pid);
  watch.owner(first.pid);
  await half.promise;
  const halfMs = performance.now() - startedMs;
  await first.kill9();
  const killedMs = performance.now();
  // What the killed one had asked for still comes to the sidecar; a pass of the next one's is behind it.
  await using second = await startOwner("");
  next = Promise.withResolvers();
  await next.promise;
  const awayMs = performance.now() - killedMs;
  watch.owner(second.pid);
  const waited = await front.processor.front.wait(runId, new AbortController().signal);
  const allMs = performance.now() - startedMs - awayMs;
  const memory = watch.stop();
  const { messages, bytes } = await logState(nats.url);
  console.log(
    JSON.stringify(
      {
        passes,
        end: waited.kind,
        passesPerSecondBeforeKill: Math.round(passes / 2 / (halfMs / 1000)),
        passesPerSecond: Math.round(passes / (allMs / 1000)),
        goesOnAfterKillSeconds: Number((awayMs / 1000).toFixed(1)),
        logMessages: messages,
        logBytes: bytes,
        memory,
      },
      undefined,
      2,
    ),
  );
}

async function logState(url: string): Promise<{ readonly messages: number; readonly bytes: number }> {
  await using connection = await connectTo(url);
  const manager = await jetstreamManager(connection.connection);
  return (await manager.streams.info(names.logStream(0))).state;
}

/** Resident memory in MiB: the most of each program, and how it was along the way. */
function watchMemory(made: () => number, natsPid: () => number): { owner(pid: number): void; stop(): unknown } {
  let pid: number | undefined;
  const most = { orchestrator: 0, natsServer: 0 };
  const along: { readonly passes: number; readonly orchestrator: number; readonly natsServer: number }[] = [];
  let count = 0;
  const timer = setInterval(() => {
    if (pid === undefined) return;
    const [orchestrator, natsServer] = [readMiB(pid), readMiB(natsPid())];
    most.orchestrator = Math.max(most.orchestrator, orchestrator);
    most.natsServer = Math.max(most.natsServer, natsServer);
    if (count++ % 20 === 0) along.push({ passes: made(), orchestrator, natsServer });
  }, 500);
  return {
    owner: (of) => (pid = of),
    stop: () => {
      clearInterval(timer);
      return { most, along };
    },
  };
}

function readMiB(pid: number): number {
  try {
    return residentMiB(pid);
  } catch {
    // It has just been killed.
    return 0;
  }
}
