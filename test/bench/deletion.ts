import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { Event, RunEnded, RunStarted } from "../../proto/gen/sidestep/internal/v1/event.ts";
import { Lease } from "../../proto/gen/sidestep/internal/v1/record.ts";
import { Run_State } from "../../proto/gen/sidestep/v1/run.ts";
import { fromHex, toRunId } from "../../proto/wire/runId.ts";
import type { RunId } from "../../proto/wire/runId.ts";
import { openPublisher } from "../../runtime/src/publisher.ts";
import { askJetStream } from "../../orchestrator/src/nats/jetstream.ts";
import { keyPlace } from "../../orchestrator/src/processor/keyPlace.ts";
import { connectTo } from "../support/connectTo.ts";
import { startNats } from "../support/nats.ts";
import { makePlan, names, openOrchestrator } from "../support/orchestrators.ts";
import type { Orchestrator } from "../support/orchestrators.ts";
import { cpuMicros, residentMiB } from "./accounting.ts";

const help = `npm run bench -- deletion [options]

What it costs to delete ended runs whose retention is over: requests to nats-server, and CPU of it and of the orchestrator, for each; how many go in a second; and how
long others who write into the log wait meanwhile. The log is made, of runs of ten calls, some at a time.

  --runs <n>      (20000)
  --at-once <n>   that have begun and not ended, at any time (64)
  --keys          each has a key
  --pinned        a run that goes on stands at the beginning of the log
  --help`;

const bodyBytes = 300;
const outcomes = 10;
const workflow = "test.v1.Flows/Flow";

interface Made {
  readonly runs: number;
  readonly atOnce: number;
  readonly hasKeys: boolean;
  readonly isPinned: boolean;
}

/** Makes a log of ended runs, has it deleted, and prints what that took. */
export async function measureDeletion(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      runs: { type: "string", default: "20000" },
      "at-once": { type: "string", default: "64" },
      keys: { type: "boolean", default: false },
      pinned: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(help);
    return;
  }
  const made: Made = {
    runs: Number(values.runs),
    atOnce: Number(values["at-once"]),
    hasKeys: values.keys,
    isPinned: values.pinned,
  };
  await using nats = await startNats();
  await using idle = await openOrchestrator(nats.url, makePlan([]), { over: { ownsPartitions: false } });
  await makeLog(nats.url, idle, made);
  const before = await storedIn(idle);
  const { lastSequence, created } = await idle.ports.logOf(0).end();
  const checkpoint = { checkpoint: lastSequence, olderCheckpoint: lastSequence, traced: lastSequence };
  // As an owner that has folded all of it has left it.
  await idle.ports.leases.write(0, { ...Lease.decode(new Uint8Array()), ...checkpoint, streamCreated: created }, 0);
  const observer = { opened: nothing, turn: nothing, closed: nothing, tracedUpTo: (_: number, to: number) => to };
  const bounds = { retentionMs: 300 };
  await using owner = await openOrchestrator(nats.url, makePlan([]), { over: { bounds, observer } });
  const { counts } = owner.processor;
  while (counts.deletions === 0) await pauseMs(5);
  const done = counts.deletions;
  const begun = { atMs: performance.now(), server: cpuMicros(nats.pid()), own: cpuMicros(process.pid) };
  const requests = owner.nats.connection.stats().outMsgs;
  const probe = startProbe(nats.url);
  while (counts.deletions < made.runs) await pauseMs(20);
  const seconds = (performance.now() - begun.atMs) / 1_000;
  const runs = counts.deletions - done;
  const ownMicros = cpuMicros(process.pid) - begun.own;
  const each = (value: number): number => Math.round((value / runs) * 100) / 100;
  const report = {
    ...made,
    messages: before,
    left: await storedIn(owner),
    runsPerSecond: Math.round(runs / seconds),
    requestsEach: each(owner.nats.connection.stats().outMsgs - requests),
    natsServerMicrosEach: Math.round((cpuMicros(nats.pid()) - begun.server) / runs),
    orchestratorMicrosEach: Math.round(ownMicros / runs),
    othersWaitMs: await probe(),
    natsServerMiB: residentMiB(nats.pid()),
  };
  console.log(JSON.stringify(report, undefined, 2));
}

/** Writes as somebody else would, ten times in a second; tells how long that took, the median and the most. */
function startProbe(url: string): () => Promise<readonly number[]> {
  const waits: number[] = [];
  const state = { isOver: false };
  const probing = (async () => {
    await using nats = await connectTo(url);
    using publisher = openPublisher(nats.connection);
    while (!state.isOver) {
      const askedMs = performance.now();
      await publisher.publish(names.outcomeSubject(0, idOf(0, 7)), new Uint8Array(bodyBytes));
      waits.push(performance.now() - askedMs);
      await pauseMs(100);
    }
  })();
  return async () => {
    state.isOver = true;
    await probing;
    const sorted = waits.toSorted((a, b) => a - b);
    return [sorted[sorted.length >> 1] ?? 0, sorted.at(-1) ?? 0].map((ms) => Math.round(ms * 10) / 10);
  };
}

async function makeLog(url: string, { ports }: Orchestrator, { runs, atOnce, hasKeys, isPinned }: Made): Promise<void> {
  await using nats = await connectTo(url);
  using publisher = openPublisher(nats.connection);
  let pending: Promise<unknown>[] = [];
  const write = async (subject: string, data: Uint8Array): Promise<void> => {
    pending.push(publisher.publish(subject, data));
    if (pending.length < 4_000) return;
    await Promise.all(pending);
    pending = [];
  };
  const body = new Uint8Array(bodyBytes);
  const end = eventOf({
    $case: "runEnded",
    value: { ...RunEnded.decode(new Uint8Array()), state: Run_State.COMPLETED },
  });
  if (isPinned) await write(names.eventSubject(0, idOf(1, 9)), startOf("", body));
  for (let from = 0; from < runs; from += atOnce) {
    const some = Array.from({ length: Math.min(atOnce, runs - from) }, (_, i) => from + i);
    for (const index of some) {
      const key = hasKeys ? `k${index}` : "";
      if (hasKeys) {
        const { bucket, hash } = keyPlace(workflow, key);
        const record = { runId: fromHex(idOf(index)), workflow, requestHash: new Uint8Array(32) };
        pending.push(ports.keys.take(bucket, hash, record, 0, AbortSignal.timeout(60_000)));
      }
      await write(names.eventSubject(0, idOf(index)), startOf(key, body));
    }
    for (let i = 0; i < outcomes; i++)
      for (const index of some) await write(names.outcomeSubject(0, idOf(index)), body);
    for (const index of some) await write(names.eventSubject(0, idOf(index)), end);
  }
  await Promise.all(pending);
}

function startOf(key: string, request: Uint8Array): Uint8Array {
  return eventOf({
    $case: "runStarted",
    value: { ...RunStarted.decode(new Uint8Array()), workflow, key, request, issuedAtMs: Date.now() },
  });
}

function eventOf(kind: NonNullable<Event["kind"]>): Uint8Array {
  return Event.encode({ kind }).finish();
}

async function storedIn({ nats }: Orchestrator): Promise<number> {
  const { state } = await askJetStream(nats.connection, `STREAM.INFO.${names.logStream(0)}`, { subjects_filter: ">" });
  return Object.values(state?.subjects ?? {}).reduce((sum, count) => sum + count, 0);
}

function idOf(index: number, sort = 0): RunId {
  const tail = new Uint8Array(8);
  new DataView(tail.buffer).setUint32(0, index);
  tail[7] = sort;
  return toRunId(1_700_000_000_000, 1, index % 4096, tail);
}

const nothing = (): void => undefined;

function pauseMs(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
