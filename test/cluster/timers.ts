import assert from "node:assert/strict";
import { openLogReader } from "../../orchestrator/src/nats/logReader.ts";
import { untilAnswered } from "../../orchestrator/src/nats/jetstream.ts";
import { ensurePartitionsBucket, ensureTopology } from "../../orchestrator/src/nats/topology.ts";
import { toNames } from "../../proto/wire/subjects.ts";
import { openNats } from "../../runtime/src/natsConnection.ts";
import { pause } from "../../runtime/src/pause.ts";
import { publishDurably } from "../../runtime/src/publishDurably.ts";
import { messageIdLine, openPublisher } from "../../runtime/src/publisher.ts";
import { natsSettingsFor, silent } from "../support/connectTo.ts";
import { startNatsCluster } from "../support/natsCluster.ts";
import { inflict } from "./faults.ts";
import type { Fault } from "./growth.ts";
import { leaderOf, metaLeaderOf, placeLeader, untilLevel, utcLog } from "./leaders.ts";

/** Timers that were armed while the leader of their stream, and of nothing else that counts, was killed. */
export interface TimersOutcome {
  readonly faults: readonly Fault[];
  readonly armed: number;
  readonly missing: number;
  readonly doubled: number;
  /** Stored in the log before they were due. */
  readonly early: number;
  /** How late the latest of each fault reached the log, counted from its time or, when it was armed later, from then. */
  readonly latestMs: readonly number[];
}

interface Armed {
  readonly fault: number;
  readonly dueMs: number;
  armedMs: number;
  readonly arrivedMs: number[];
}

const names = toNames();
const everyMs = 50;
const dueFirstMs = 500;
const dueLastMs = 2_500;
/** Before each fault, and behind it. */
const calmMs = 3_000;
const arriveWithinMs = 40_000;

/**
 * Message schedules and the log that sources them, on three servers: the leader of the timers is killed, while log and cluster are led by
 * others. A plain source stands still for 10 s and more then.
 */
export async function playTimers(times: number, progress: (line: string) => void): Promise<TimersOutcome> {
  await using cluster = await startNatsCluster({ configuration: utcLog });
  const { servers, urls } = cluster;
  const settings = { ...natsSettingsFor(""), natsUrl: urls };
  const { signal } = new AbortController();
  await using nats = await openNats(settings, { name: "timers", log: silent, signal });
  const topology = { names, replicas: 3 };
  await untilAnswered(() => ensurePartitionsBucket(nats.connection, topology), signal);
  await untilAnswered(() => ensureTopology(nats.connection, topology, 1, silent), signal);
  using publisher = openPublisher(nats.connection);
  const timers: Armed[] = [];
  const log = names.logStream(0);
  using _reader = openLogReader(nats, {
    stream: log,
    from: 1,
    room: () => 1_000,
    onMessage: ({ storedMs, data }) => timers[Number(Buffer.from(data).toString())]?.arrivedMs.push(storedMs),
    log: silent,
  });
  let fault = 0;
  const arm = async (n: number): Promise<void> => {
    const dueMs = Date.now() + dueFirstMs + Math.random() * (dueLastMs - dueFirstMs);
    const timer: Armed = { fault, dueMs, armedMs: Infinity, arrivedMs: [] };
    timers[n] = timer;
    const headers = `Nats-Schedule: @at ${new Date(dueMs).toISOString()}\r\nNats-Schedule-Target: ${names.dueSubject(0, `r${n}`)}\r\nNats-Schedule-TTL: 1h\r\n`;
    const subject = names.timerSubject(0, `r${n}`, 1);
    const id = messageIdLine(`t${n}`);
    await publishDurably(publisher, names.timersStream, subject, Buffer.from(String(n)), headers + id, { signal });
    timer.armedMs = Date.now();
  };
  let isOver = false;
  const arming = (async () => {
    const all: Promise<void>[] = [];
    while (!isOver) {
      all.push(arm(all.length));
      await pause(everyMs);
    }
    await Promise.all(all);
  })();
  const faults: Fault[] = [];
  for (; fault < times; fault++) {
    await untilLevel(nats);
    const meta = metaLeaderOf(servers);
    const victim = (meta + 1) % servers.length;
    await placeLeader(nats, names.timersStream, victim);
    await placeLeader(nats, log, (meta + 2) % servers.length);
    await untilLevel(nats);
    const leaders = [await leaderOf(nats, names.timersStream), await leaderOf(nats, log)];
    assert.deepEqual(leaders, [victim, (meta + 2) % servers.length]);
    await pause(calmMs);
    faults.push(await inflict(servers, victim, "kill"));
    await pause(calmMs);
    progress(`kill of n${victim}, which led the timers alone: ${faults.at(-1)?.outageMs} ms until they were led again`);
  }
  isOver = true;
  await arming;
  for (const until = Date.now() + arriveWithinMs; Date.now() < until; await pause(100))
    if (timers.every(({ arrivedMs }) => arrivedMs.length > 0)) break;
  const latestMs = faults.map((_, of) =>
    Math.max(0, ...timers.filter((it) => it.fault === of).map((it) => (it.arrivedMs[0] ?? Infinity) - from(it))),
  );
  return {
    faults,
    armed: timers.length,
    missing: timers.filter(({ arrivedMs }) => arrivedMs.length === 0).length,
    doubled: timers.filter(({ arrivedMs }) => arrivedMs.length > 1).length,
    early: timers.filter(({ arrivedMs, dueMs }) => (arrivedMs[0] ?? Infinity) < Math.floor(dueMs)).length,
    latestMs,
  };
}

function from({ dueMs, armedMs }: Armed): number {
  return Math.max(dueMs, armedMs);
}
