import { performance } from "node:perf_hooks";
import { openPublisher } from "../../runtime/src/publisher.ts";
import { toRunId } from "../../proto/wire/runId.ts";
import type { RunId } from "../../proto/wire/runId.ts";
import { connectTo } from "../support/connectTo.ts";
import { startNats } from "../support/nats.ts";
import { makePlan, names, openOrchestrator } from "../support/orchestrators.ts";
import { residentMiB } from "./accounting.ts";

const oursCount = 10_000;
const otherRuns = 10_000;
const bodyBytes = 300;

/**
 * npm run bench -- purge [messages]: what it costs to cut a run's history out of a log with so many messages (1,000,000) of other runs, when they are
 * neighbours and when they are spread over the whole log; and how long others who write wait at most meanwhile.
 */
export async function measurePurge([text = "1000000"]: readonly string[]): Promise<void> {
  const others = Number(text);
  await using nats = await startNats();
  await using idle = await openOrchestrator(nats.url, makePlan([]), { over: { ownsPartitions: false } });
  await using connected = await connectTo(nats.url);
  using publisher = openPublisher(connected.connection);
  const log = idle.ports.logOf(0);
  const data = new Uint8Array(bodyBytes);
  const made = (index: number): RunId => toRunId(1_700_000_000_000, 1, index % 4096, randomTail(index));
  const strangers = Array.from({ length: otherRuns }, (_, i) => names.outcomeSubject(0, made(i)));
  const [spread, together] = [made(otherRuns), made(otherRuns + 1)];
  const write = async (subject: string): Promise<number> => {
    const published = await publisher.publish(subject, data);
    if (published.kind !== "stored") throw new Error(JSON.stringify(published));
    return published.sequence;
  };
  const every = Math.max(Math.floor(others / oursCount), 1);
  let pending: Promise<number>[] = [];
  for (let i = 0; i < others; i++) {
    pending.push(write(strangers[i % otherRuns] ?? ""));
    if (i % every === 0) pending.push(write(names.outcomeSubject(0, spread)));
    if (pending.length >= 4_000) {
      await Promise.all(pending);
      pending = [];
    }
  }
  for (let i = 0; i < oursCount; i++) pending.push(write(names.outcomeSubject(0, together)));
  const last = Math.max(...(await Promise.all(pending)));
  const reports: unknown[] = [];
  for (const [name, runId] of [
    ["neighbours", together],
    ["spread over the whole log", spread],
  ] as const) {
    const before = residentMiB(nats.pid());
    const startedMs = performance.now();
    const cutting = { isOver: false };
    const waits: number[] = [];
    const probe = (async () => {
      while (!cutting.isOver) {
        const askedMs = performance.now();
        await write(strangers[0] ?? "");
        waits.push(performance.now() - askedMs);
      }
    })();
    await log.cut(runId, last);
    const ms = performance.now() - startedMs;
    cutting.isOver = true;
    await probe;
    reports.push({
      messages: oursCount,
      of: others,
      name,
      ms: Math.round(ms),
      othersWaitAtMostMs: Math.round(Math.max(...waits)),
      natsServerMiB: [before, residentMiB(nats.pid())],
    });
  }
  console.log(JSON.stringify(reports, undefined, 2));
}

function randomTail(index: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setUint32(0, index);
  return bytes;
}
