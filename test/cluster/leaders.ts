import { jetstreamManager } from "@nats-io/jetstream";
import { askJetStream } from "../../orchestrator/src/nats/jetstream.ts";
import type { Nats as Connection } from "../../runtime/src/natsConnection.ts";
import { pause } from "../../runtime/src/pause.ts";
import type { Nats } from "../support/nats.ts";
import { toNames } from "../../proto/wire/subjects.ts";
import { toServerName } from "../support/natsCluster.ts";

const names = toNames();

/** Added to each server's configuration, so that its log's times can be compared with ours. */
export const utcLog = "logtime_utc: true";

/** A leader that was elected, as the server that it is says so in its log. */
export interface Election {
  readonly atMs: number;
  /** A stream, "stream > consumer", or "meta". */
  readonly of: string;
}

const told =
  /^\[\d+\] (\S+ \S+) .*(?:new (?:stream|consumer) leader for '\$G > (.+)'|Self is new JetStream cluster (metadata) leader)/;

/** What these lines of a server's log tell of leaders, in order. */
export function parseElections(lines: readonly string[]): readonly Election[] {
  return lines.flatMap((line) => {
    const [, time = "", of = "meta"] = told.exec(line) ?? [];
    // Readers of ours have one copy, on one server: they are made anew.
    if (time === "" || / > (reader|next)/.test(of)) return [];
    return [{ atMs: Date.parse(`${time.replaceAll("/", "-").replace(" ", "T").slice(0, 23)}Z`), of }];
  });
}

/** The index of the server that leads the stream now; undefined while none does. */
export async function leaderOf({ connection }: Connection, stream: string): Promise<number | undefined> {
  const manager = await jetstreamManager(connection, { checkAPI: false });
  const { cluster } = await manager.streams.info(stream);
  const index = [0, 1, 2].findIndex((it) => toServerName(it) === cluster?.leader);
  return index === -1 ? undefined : index;
}

/** The index of the server that was elected the cluster's own leader last. */
export function metaLeaderOf(servers: readonly Nats[]): number {
  const latest = servers.map((server) =>
    Math.max(0, ...parseElections(server.lines()).flatMap(({ atMs, of }) => (of === "meta" ? [atMs] : []))),
  );
  return latest.indexOf(Math.max(...latest));
}

/** Makes a server lead the stream. */
export async function placeLeader(nats: Connection, stream: string, server: number): Promise<void> {
  const placement = { preferred: toServerName(server) };
  for (const until = Date.now() + 30_000; Date.now() < until; await pause(300)) {
    const leader = await leaderOf(nats, stream).catch(() => undefined);
    if (leader === server) return;
    if (leader === undefined) continue;
    await askJetStream(nats.connection, `STREAM.LEADER.STEPDOWN.${stream}`, { placement }).catch(() => undefined);
  }
  throw new Error(`${toServerName(server)} does not come to lead ${stream}`);
}

/** When the last leader was elected after this moment, as the servers have said so far; undefined: none was. */
export function electedSince(servers: readonly Nats[], sinceMs: number): number | undefined {
  const later = servers.flatMap((it) => parseElections(it.lines())).filter(({ atMs }) => atMs > sinceMs);
  return later.length === 0 ? undefined : Math.max(...later.map(({ atMs }) => atMs));
}

/** Resolves when every stream of the cluster has a leader and two copies that are level with it, and every consumer of tasks and timers a leader. */
export async function untilLevel({ connection }: Connection, withinMs = 60_000): Promise<void> {
  const manager = await jetstreamManager(connection, { checkAPI: false, timeout: 1_000 });
  let last = "";
  for (const until = Date.now() + withinMs; Date.now() < until; await pause(200)) {
    try {
      const streams = await manager.streams.list().next();
      const late = streams.find(
        ({ cluster }) =>
          cluster?.leader === undefined || (cluster.replicas ?? []).filter(({ current }) => current).length < 2,
      );
      if (late === undefined) return await askConsumers(connection, [names.tasksStream, names.timersStream]);
      last = late.config.name;
    } catch (error) {
      last = String(error);
    }
  }
  throw new Error(`not level after ${withinMs / 1_000} s: ${last}`);
}

/** Throws when a consumer of these streams answers nobody. */
async function askConsumers(connection: Connection["connection"], streams: readonly string[]): Promise<void> {
  for (const stream of streams) {
    const { consumers = [] } = await askJetStream(connection, `CONSUMER.NAMES.${stream}`, {}, 1_000);
    for (const name of consumers)
      if (typeof name === "string") await askJetStream(connection, `CONSUMER.INFO.${stream}.${name}`, undefined, 1_000);
  }
}
