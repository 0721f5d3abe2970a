import assert from "node:assert/strict";
import { toNames } from "../../proto/wire/subjects.ts";
import type { Nats as Connection } from "../../runtime/src/natsConnection.ts";
import { pause } from "../../runtime/src/pause.ts";
import type { Nats } from "../support/nats.ts";
import { leaderOf, metaLeaderOf, parseElections } from "./leaders.ts";
import type { Fault } from "./growth.ts";

const names = toNames();

/** Whose leader a fault meets. */
export const targets = ["log", "tasks", "timers", "leases", "keys", "catalog", "meta"] as const;
export type Target = (typeof targets)[number];

/** What happens to it: killed and started again, or stopped and going on. */
export const kinds = ["kill", "stop4", "stop10"] as const;
export type FaultKind = (typeof kinds)[number];

/** As many as an orchestrator makes by itself. */
const partitions = 4;
const restartAfterMs = 2_000;
/** An election takes 9 s at most, and may be repeated. */
const electionMaxMs = 20_000;

/** Kills or stops the server, and resolves when it is back, a killed one after `deadMs`, and everything it led is led again. */
export async function inflict(
  servers: readonly Nats[],
  server: number,
  kind: FaultKind,
  deadMs = restartAfterMs,
): Promise<Fault> {
  const victim = servers[server];
  assert(victim !== undefined);
  const others = servers.filter((it) => it !== victim);
  const led = ledBy(server, servers);
  const atMs = Date.now();
  let backMs: number | undefined;
  if (kind === "kill") {
    await victim.kill9();
    await pause(deadMs);
    await victim.restart();
  } else {
    victim.pause();
    await pause(stopMs[kind]);
    victim.resume();
    backMs = Date.now();
  }
  const outageMs = kind === "stop4" ? stopMs[kind] : await electedAfter(atMs, led, others);
  const fault = { kind, atMs, outageMs: kind === "stop10" ? Math.min(outageMs, stopMs[kind]) : outageMs };
  return backMs === undefined ? fault : { ...fault, backMs };
}

const stopMs = { stop4: 4_000, stop10: 10_000 } as const;

/** The index of the server that leads the target now; of the logs, one is chosen by chance. */
export async function leaderOfTarget(
  servers: readonly Nats[],
  admin: Connection,
  target: Target,
  random: () => number,
): Promise<number> {
  const streams = {
    log: names.logStream(Math.floor(random() * partitions)),
    tasks: names.tasksStream,
    timers: names.timersStream,
    leases: `KV_${names.partitionsBucket}`,
    keys: `KV_${names.keysBucket}`,
    catalog: `KV_${names.catalogBucket}`,
  };
  if (target === "meta") return metaLeaderOf(servers);
  return (await leaderOf(admin, streams[target])) ?? metaLeaderOf(servers);
}

/** What a server leads, by what all of them have said since their starts. */
function ledBy(server: number, servers: readonly Nats[]): ReadonlySet<string> {
  const latest = new Map<string, { readonly atMs: number; readonly by: number }>();
  servers.forEach((it, by) => {
    for (const { atMs, of } of parseElections(it.lines()))
      if (atMs >= (latest.get(of)?.atMs ?? 0)) latest.set(of, { atMs, by });
  });
  return new Set([...latest].flatMap(([of, { by }]) => (by === server ? [of] : [])));
}

/** How long after the fault the last of what was led has found a leader among the others. */
async function electedAfter(atMs: number, led: ReadonlySet<string>, others: readonly Nats[]): Promise<number> {
  for (;;) {
    const elected = new Map<string, number>();
    for (const election of others.flatMap((it) => parseElections(it.lines())))
      if (election.atMs > atMs && led.has(election.of) && !elected.has(election.of))
        elected.set(election.of, election.atMs);
    const isWhole = [...led].every((it) => elected.has(it));
    if (isWhole || Date.now() - atMs > electionMaxMs)
      return Math.max(0, ...elected.values()) - (elected.size > 0 ? atMs : 0);
    await pause(200);
  }
}
