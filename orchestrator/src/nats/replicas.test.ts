import assert from "node:assert/strict";
import { expect, test } from "vitest";
import { openNats } from "../../../runtime/src/natsConnection.ts";
import { openPublisher } from "../../../runtime/src/publisher.ts";
import { natsSettingsFor, silent } from "../../../test/support/connectTo.ts";
import { freePort } from "../../../test/support/freePort.ts";
import { startNats } from "../../../test/support/nats.ts";
import { names } from "../../../test/support/orchestrators.ts";
import { askJetStream, untilAnswered } from "./jetstream.ts";
import { openLogReader } from "./logReader.ts";
import { ensurePartitionsBucket, ensureTopology } from "./topology.ts";
import type { LogMessage } from "../processor/ports.ts";

const topology = { names, replicas: 3 };

async function startCluster() {
  const ports = await Promise.all([freePort(), freePort(), freePort()]);
  const routes = ports.map((port) => `"nats://127.0.0.1:${port}"`).join(", ");
  const start = (port: number) =>
    startNats({
      configuration: `server_name: n${port}\ncluster { name: c, listen: "127.0.0.1:${port}", routes: [${routes}] }`,
    });
  return Promise.all(ports.map(start));
}

test("on three nodes every stream has three copies, and timers reach the log by a durable consumer", async () => {
  const [first, second, third] = await startCluster();
  assert(first !== undefined && second !== undefined && third !== undefined);
  await using stack = new AsyncDisposableStack();
  for (const server of [first, second, third]) stack.use(server);
  const settings = { ...natsSettingsFor(first.url), natsUrl: [first.url, second.url, third.url] };
  const signal = AbortSignal.timeout(50_000);
  await using nats = await openNats(settings, { name: "test", log: silent, signal });
  const { connection } = nats;
  await untilAnswered(() => ensurePartitionsBucket(connection, topology), signal);
  await untilAnswered(() => ensureTopology(connection, topology, 1, silent), signal);
  const log = await askJetStream(connection, `STREAM.INFO.${names.logStream(0)}`, undefined);
  expect(log.config).toMatchObject({ num_replicas: 3 });
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
