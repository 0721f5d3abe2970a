import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { cpuNow, cpuPerUnit } from "../accounting.ts";
import { decodeCounts, encodeCounts } from "./count.ts";
import { watchMemory } from "./memory.ts";
import { startLongStack } from "./stack.ts";

const help = `npm run bench -- each [options]

Runs of the workflow bench.v1.Long/Each, started like any other: a for_each with a call for each item, 100 at a time. Prints items/s and CPU an item
for each count: linear is what stays the same.

  --items <list>   counts, one run after the other (1000,1000,10000,10000)
  --help`;

/** Measures fan-out on real NATS and prints what came of it. */
export async function measureEach(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { items: { type: "string", default: "1000,1000,10000,10000" }, help: { type: "boolean", default: false } },
  });
  if (values.help) {
    console.log(help);
    return;
  }
  await using stack = await startLongStack(1);
  const [owner] = stack.orchestrators;
  if (owner === undefined) throw new Error("no orchestrator");
  const pids = { orchestrator: owner.program.pid, natsServer: stack.nats.pid(), sidecar: stack.sidecar.pid };
  const reports: unknown[] = [];
  for (const text of values.items.split(",")) {
    const count = Number(text);
    const items = Array.from({ length: count }, (_, i) => i + 1);
    const before = cpuNow(pids);
    const madeBefore = stack.counter.calls();
    const memory = watchMemory(
      () => ((stack.counter.calls() - madeBefore) / count) * 100,
      () => pids,
    );
    const startedMs = performance.now();
    const answer = decodeCounts(await owner.call("bench.v1.Long/Each", encodeCounts(items)));
    const seconds = (performance.now() - startedMs) / 1000;
    if (answer.length !== count || answer.some((i, at) => i !== items[at]))
      throw new Error("the answer is not the items in their order");
    reports.push({
      items: count,
      seconds: Number(seconds.toFixed(2)),
      itemsPerSecond: Math.round(count / seconds),
      cpuMicrosPerItem: cpuPerUnit(before, cpuNow(pids), count),
      memoryMiB: memory.stop().most,
    });
  }
  console.log(JSON.stringify(reports, undefined, 2));
}
