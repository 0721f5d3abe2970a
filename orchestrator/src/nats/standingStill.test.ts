import assert from "node:assert/strict";
import { jetstreamManager } from "@nats-io/jetstream";
import { expect, test } from "vitest";
import { parseRunId } from "../../../proto/wire/runId.ts";
import { openNats } from "../../../runtime/src/natsConnection.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import { pause } from "../../../runtime/src/pause.ts";
import { openPublisher } from "../../../runtime/src/publisher.ts";
import { natsSettingsFor, silent } from "../../../test/support/connectTo.ts";
import type { Nats as NatsServer } from "../../../test/support/nats.ts";
import { startNatsCluster, toServerName } from "../../../test/support/natsCluster.ts";
import type { NatsCluster } from "../../../test/support/natsCluster.ts";
import { names } from "../../../test/support/orchestrators.ts";
import type { LogMessage } from "../processor/ports.ts";
import { openDirectGets } from "./directGet.ts";
import { askJetStream, untilAnswered } from "./jetstream.ts";
import { openLogReader } from "./logReader.ts";
import { openLoneStreams } from "./loneStreams.ts";
import { ensurePartitionsBucket, ensureTopology } from "./topology.ts";

const stream = names.logStream(0);
const signal = AbortSignal.timeout(100_000);

function connectToAll(urls: readonly string[]): Promise<Nats> {
  return openNats({ ...natsSettingsFor(""), natsUrl: urls }, { name: "test", log: silent, signal });
}

/** Who leads the log, and the server that has no copy of it, by number. */
async function findPlaces(
  { connection }: Nats,
  { servers }: NatsCluster,
): Promise<{ leader: number; without: number }> {
  const manager = await jetstreamManager(connection, { checkAPI: false });
  const { cluster } = await manager.streams.info(stream);
  const copies = [cluster?.leader, ...(cluster?.replicas ?? []).map(({ name }) => name)];
  const place = servers.map((_, number) => copies.indexOf(toServerName(number)));
  return { leader: place.indexOf(0), without: place.indexOf(-1) };
}

function leadsCluster(server: NatsServer | undefined): boolean {
  return server?.lines().some((line) => line.includes("Self is new JetStream cluster metadata leader")) === true;
}

/** The same, once the log is led by another one than the cluster: that would be missed at once, others are given readers for some seconds more. */
async function withOtherLeader(admin: Nats, cluster: NatsCluster): ReturnType<typeof findPlaces> {
  for (;;) {
    const found = await findPlaces(admin, cluster);
    if (found.leader >= 0 && !leadsCluster(cluster.servers[found.leader])) return found;
    await askJetStream(admin.connection, `STREAM.LEADER.STEPDOWN.${stream}`, undefined).catch(() => undefined);
    await pause(300);
  }
}

test("a server that stands still holds up no read of a log that it has a copy of, neither readers that are made meanwhile nor direct gets", async () => {
  await using cluster = await startNatsCluster({ servers: 4 });
  await using admin = await connectToAll(cluster.urls);
  const topology = { names, replicas: 3 };
  await untilAnswered(() => ensurePartitionsBucket(admin.connection, topology), signal);
  await untilAnswered(() => ensureTopology(admin.connection, topology, 1, silent), signal);
  const runId = parseRunId("a".repeat(32));
  assert(runId !== undefined);
  const subject = names.eventSubject(0, runId);
  using publisher = openPublisher(admin.connection);
  const { leader, without } = await withOtherLeader(admin, cluster);
  // A server asks its own copy before others.
  await using nats = await connectToAll(cluster.urls.filter((_, number) => number === without));
  expect(await publisher.publish(subject, Buffer.from("event"))).toMatchObject({ kind: "stored" });
  cluster.servers[leader]?.pause();
  try {
    using readers = new DisposableStack();
    const seen = Array.from({ length: 8 }, () => {
      const { promise, resolve } = Promise.withResolvers<LogMessage>();
      readers.use(openLogReader(nats, { stream, from: 1, onMessage: resolve, room: () => 10, log: silent }));
      return promise;
    });
    using loneStreams = openLoneStreams(nats, Date.now);
    using directGets = openDirectGets(nats, loneStreams);
    expect((await Promise.all(seen)).map((message) => message.subject)).toEqual(Array.from(seen, () => subject));
    await expect.poll(async () => (await findPlaces(nats, cluster)).leader, { timeout: 30_000 }).not.toBe(leader);
    // One that waited for that server would fail.
    const reads = await Promise.all(Array.from({ length: 30 }, () => directGets.read(stream, subject, 1)));
    expect(reads.map(({ length }) => length)).toEqual(Array.from(reads, () => 1));
  } finally {
    cluster.servers[leader]?.resume();
  }
}, 120_000);
