import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { CancelRunRequest, StartRunRequest, StartRunResponse } from "../../../proto/gen/sidestep/v1/runs.ts";
import { median } from "../accounting.ts";
import { encodeCount } from "./count.ts";
import { startLongStack } from "./stack.ts";

const help = `npm run bench -- cancel [options]

From Runs.Cancel to the moment at which the service is told that its running call is cancelled.

  --tries <n>      runs that are cancelled, one after the other (40)
  --help`;

/** Measures how soon a cancel reaches the service and prints what came of it. */
export async function measureCancel(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { tries: { type: "string", default: "40" }, help: { type: "boolean", default: false } },
  });
  if (values.help) {
    console.log(help);
    return;
  }
  await using stack = await startLongStack(1);
  const [owner] = stack.orchestrators;
  if (owner === undefined) throw new Error("no orchestrator");
  const millis: number[] = [];
  for (let i = 1; i <= Number(values.tries); i++) {
    const start = StartRunRequest.encode({
      workflow: "bench.v1.Long/Cancelled",
      request: encodeCount(i),
      idempotencyKey: "",
    });
    const { runId } = StartRunResponse.decode(await owner.call("sidestep.v1.Runs/Start", start.finish()));
    await stack.counter.held(i);
    const cancelMs = performance.now();
    const [seenMs] = await Promise.all([
      stack.counter.cancelled(i),
      owner.call("sidestep.v1.Runs/Cancel", CancelRunRequest.encode({ runId, reason: "measured" }).finish()),
    ]);
    millis.push(seenMs - cancelMs);
  }
  const told = (ms: number): number => Number(ms.toFixed(1));
  const report = {
    tries: millis.length,
    medianMs: told(median(millis)),
    mostMs: told(Math.max(...millis)),
    leastMs: told(Math.min(...millis)),
  };
  console.log(JSON.stringify(report, undefined, 2));
}
