import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { cpuNow, cpuPerUnit } from "../accounting.ts";
import { decodeCount, encodeCount } from "./count.ts";
import { watchMemory } from "./memory.ts";
import { logState, startLongStack } from "./stack.ts";

const help = `npm run bench -- loop [options]

One run of the workflow bench.v1.Long/Loop, started like any other: a call in each pass of a loop, and the answer decides what the next pass asks.
On the way the orchestrator that owns it is killed with SIGKILL while another one stands by. Prints how fast it goes, in how much memory and disk,
and how soon after the kill the service is called again by the other one's doing.

  --passes <n>     passes of the loop (100000)
  --kill-at <n>    percent of the way at which the owner is killed; 0: not at all (50)
  --profile <folder>  writes CPU profiles of our programs there
  --help`;

/** Measures a run of many passes on real NATS and prints what came of it. */
export async function measureLoop(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      passes: { type: "string", default: "100000" },
      "kill-at": { type: "string", default: "50" },
      profile: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(help);
    return;
  }
  const passes = Number(values.passes);
  const killAt = Math.floor((passes * Number(values["kill-at"])) / 100);
  await using stack = await startLongStack(killAt > 0 ? 2 : 1, values.profile);
  const { counter, nats, sidecar } = stack;
  const [first, standby] = stack.orchestrators;
  if (first === undefined) throw new Error("no orchestrator");
  let owner = first;
  const memory = watchMemory(
    () => ((counter.reached() + 1) / passes) * 100,
    () => ({ orchestrator: owner.program.pid, natsServer: nats.pid(), sidecar: sidecar.pid }),
  );
  const call = (): Promise<Uint8Array> => owner.call("bench.v1.Long/Loop", encodeCount(passes), "the one run");
  const pids = { orchestrator: first.program.pid, natsServer: nats.pid(), sidecar: sidecar.pid, service: process.pid };
  const cpuBefore = cpuNow(pids);
  const startedMs = performance.now();
  let answer = call();
  let beforeKill: { readonly passesPerSecond: number; readonly cpu: Readonly<Record<string, number>> } | undefined;
  let awayMs: number | undefined;
  let mostMessages = 0;
  const look = setInterval(
    () => void logState(nats.url).then(({ messages }) => (mostMessages = Math.max(mostMessages, messages))),
    5_000,
  );
  if (killAt > 0 && standby !== undefined) {
    await Promise.race([counter.untilReached(killAt), answer]);
    const killedMs = performance.now();
    beforeKill = {
      passesPerSecond: Math.round(counter.reached() / ((killedMs - startedMs) / 1000)),
      cpu: cpuPerUnit(cpuBefore, cpuNow(pids), counter.reached()),
    };
    const lost = answer.then(
      () => false,
      () => true,
    );
    await first.program.kill9();
    // What the killed one had asked for still comes to the service, and so may what it had written and nobody has called yet.
    const next = counter.reached() + 3;
    owner = standby;
    if (!(await lost)) throw new Error("the caller was answered by a killed orchestrator");
    answer = call();
    await Promise.race([counter.untilReached(next), answer]);
    awayMs = performance.now() - killedMs;
  }
  const answered = decodeCount(await answer);
  const allMs = performance.now() - startedMs - (awayMs ?? 0);
  clearInterval(look);
  if (answered !== passes) throw new Error(`the answer is ${answered} passes, not ${passes}`);
  const { messages, bytes } = await logState(nats.url);
  const report = {
    passes,
    answered,
    calls: counter.calls(),
    passesPerSecond: Math.round(passes / (allMs / 1000)),
    passesPerSecondBeforeKill: beforeKill?.passesPerSecond,
    cpuMicrosPerPass: beforeKill?.cpu ?? cpuPerUnit(cpuBefore, cpuNow(pids), passes),
    goesOnAfterKillSeconds: awayMs === undefined ? undefined : Number((awayMs / 1000).toFixed(2)),
    logMessagesAtTheEnd: messages,
    logBytesAtTheEnd: bytes,
    logMessagesAtMost: Math.max(mostMessages, messages),
    memoryMiB: memory.stop(),
  };
  console.log(JSON.stringify(report, undefined, 2));
}
