import { expect, test } from "vitest";
import { openNats } from "../../../runtime/src/natsConnection.ts";
import { openPublisher } from "../../../runtime/src/publisher.ts";
import { natsSettingsFor, silent } from "../../../test/support/connectTo.ts";
import { startNatsCluster } from "../../../test/support/natsCluster.ts";
import { names } from "../../../test/support/orchestrators.ts";
import { askJetStream, untilAnswered } from "./jetstream.ts";
import { openLogReader } from "./logReader.ts";
import { ensurePartitionsBucket, ensureTopology } from "./topology.ts";
import type { LogMessage } from "../processor/ports.ts";

const topology = { names, replicas: 3 };

test("on three nodes every stream has three copies, and timers reach the log by a durable consumer", async () => {
  await using servers = await startNatsCluster();
  const settings = { ...natsSettingsFor(""), natsUrl: servers.urls };
  const signal = AbortSignal.timeout(50_000);
  await using nats = await openNats(settings, { name: "test", log: silent, signal });
  const { connection } = nats;
  await untilAnswered(() => ensurePartitionsBucket(connection, topology), signal);
  await untilAnswered(() => ensureTopology(connection, topology, 1, silent), signal);
  const log = await askJetStream(connection, `STREAM.INFO.${names.logStream(0)}`, undefined);
  expect(log.config).toMatchObject({ num_replicas: 3 });
  // One that was started without --replicas takes no copies away.
  const alone = ensurePartitionsBucket(connection, { names, replicas: 1 });
  await expect(alone).rejects.toThrow(/has 3 copies.*--replicas 3/);
  const { consumers } = await askJetStream(connection, `CONSUMER.NAMES.${names.timersStream}`, {});
  expect(consumers).toEqual(["log0"]);
  const arrived = Promise.withResolvers<LogMessage>();
  using _reader = openLogReader(nats, {
    stream: names.logStream(0),
    from: 1,
    onMessage: arrived.resolve,
    room: () => 10,
    log: silent,
  });
  using publisher = openPublisher(connection);
  const headers = `Nats-Schedule: @at ${new Date().toISOString()}\r\nNats-Schedule-Target: ${names.dueSubject(0, "r1")}\r\nNats-Schedule-TTL: 1h\r\n`;
  expect(await publisher.publish(names.timerSubject(0, "r1", 1), Buffer.from("due"), headers)).toMatchObject({
    kind: "stored",
  });
  expect(await arrived.promise).toMatchObject({ subject: names.eventSubject(0, "r1") });
}, 60_000);
