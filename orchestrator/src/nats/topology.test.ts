import { expect, test } from "vitest";
import { toNames } from "../../../proto/wire/subjects.ts";
import { logger } from "../../../runtime/src/log.ts";
import { startNats } from "../../../test/support/nats.ts";
import { askJetStream, readFromLeader } from "./jetstream.ts";
import { openLogReader } from "./logReader.ts";
import type { LogMessage } from "../processor/ports.ts";
import { connectTo } from "../../../test/support/connectTo.ts";
import { ensurePartitionsBucket, ensureTaskConsumer, ensureTopology } from "./topology.ts";
import { openPublisher } from "../../../runtime/src/publisher.ts";

const names = toNames();
const options = { names, replicas: 1 };
const silent = logger("test", { write: () => undefined });

test("streams, buckets and consumers are made once, and making them again changes nothing", async () => {
  await using server = await startNats();
  await using nats = await connectTo(server.url);
  const { connection } = nats;
  for (let i = 0; i < 2; i++) {
    await ensurePartitionsBucket(connection, options);
    await ensureTopology(connection, options, 2, silent);
    await ensureTaskConsumer(connection, names, "shop.v1.Orders");
  }
  const { streams } = await askJetStream(connection, "STREAM.NAMES", {});
  expect(streams?.toSorted()).toEqual([
    "KV_SIDESTEP_CATALOG",
    "KV_SIDESTEP_KEYS",
    "KV_SIDESTEP_LIMITS",
    "KV_SIDESTEP_PARTITIONS",
    "KV_SIDESTEP_SCHEDULES",
    "KV_SIDESTEP_TRIGGERS",
    "OBJ_SIDESTEP_DEFINITIONS",
    "SIDESTEP_AUDIT",
    "SIDESTEP_LOG_0",
    "SIDESTEP_LOG_1",
    "SIDESTEP_PARKED",
    "SIDESTEP_PAYLOADS",
    "SIDESTEP_TASKS",
    "SIDESTEP_TIMERS",
  ]);
  const { consumers } = await askJetStream(connection, "CONSUMER.NAMES.SIDESTEP_TASKS", {});
  expect(consumers).toEqual(["shop-v1-Orders"]);
});

test("a start asks for its streams in two round trips, however many they are", async () => {
  await using server = await startNats();
  await using nats = await connectTo(server.url);
  await ensurePartitionsBucket(nats.connection, options);
  // What is asked for in one turn of the event loop; again counts as once.
  const asked = new Set<string>();
  const rounds: number[] = [];
  let isRoundOpen = false;
  const connection = new Proxy(nats.connection, {
    get: (whole, name) => {
      const value: unknown = Reflect.get(whole, name, whole);
      if (typeof value !== "function") return value;
      return (subject: string, ...rest: unknown[]): unknown => {
        if (name === "request" && !asked.has(subject)) {
          if (!isRoundOpen) rounds.push(0);
          if (!isRoundOpen) setImmediate(() => (isRoundOpen = false));
          isRoundOpen = true;
          rounds[rounds.length - 1] = (rounds.at(-1) ?? 0) + 1;
          asked.add(subject);
        }
        return Reflect.apply(value, whole, [subject, ...rest]);
      };
    },
  });
  await ensureTopology(connection, options, 5, silent);
  expect(rounds).toEqual([11, 5]);
});

test("a stream that another program made with other settings is refused by name", async () => {
  await using server = await startNats();
  await using nats = await connectTo(server.url);
  const { connection } = nats;
  await askJetStream(connection, "STREAM.CREATE.SIDESTEP_TASKS", {
    name: "SIDESTEP_TASKS",
    subjects: ["other"],
    storage: "memory",
  });
  await expect(ensureTopology(connection, options, 1, silent)).rejects.toThrow(/SIDESTEP_TASKS/);
});

test("a server whose messages are too small is refused with the remedy", async () => {
  await using server = await startNats({ configuration: "max_payload: 65536" });
  await using nats = await connectTo(server.url);
  const { connection } = nats;
  await expect(ensurePartitionsBucket(connection, options)).rejects.toThrow(/max_payload/);
});

test("an outcome is stored under the run's outcome subject, and no header of a sidecar can harm the log", async () => {
  await using server = await startNats();
  await using nats = await connectTo(server.url);
  const { connection } = nats;
  await ensurePartitionsBucket(connection, options);
  await ensureTopology(connection, options, 1, silent);
  using publisher = openPublisher(connection);
  const subject = names.outSubject("shop.v1.Orders", 0, "r1");
  const plain = await publisher.publish(subject, Buffer.from("x"));
  expect(plain).toMatchObject({ kind: "stored", sequence: 1 });
  const stored = await readFromLeader(connection, names.logStream(0), { kind: "sequence", sequence: 1 });
  expect(stored?.subject).toBe(names.outcomeSubject(0, "r1"));
  const tricks = [
    "Nats-Rollup: all\r\n",
    "Nats-TTL: 1s\r\n",
    "Nats-Schedule: @at 2020-01-01T00:00:00Z\r\nNats-Schedule-Target: sidestep.log.0.r1.e\r\n",
    "Nats-Batch-Id: b\r\nNats-Batch-Sequence: 1\r\nNats-Batch-Commit: 1\r\n",
  ];
  for (const trick of tricks) {
    const { kind } = await publisher.publish(subject, Buffer.from("x"), trick);
    expect(kind, trick).not.toBe("stored");
  }
  const { state } = await askJetStream(connection, `STREAM.INFO.${names.logStream(0)}`, undefined);
  expect(state?.last_seq).toBe(1);
});

test("what fires in the timer stream lands in the log of its partition as an event", async () => {
  await using server = await startNats();
  await using nats = await connectTo(server.url);
  const { connection } = nats;
  await ensurePartitionsBucket(connection, options);
  await ensureTopology(connection, options, 2, silent);
  using publisher = openPublisher(connection);
  const arrived = Promise.withResolvers<LogMessage>();
  using _reader = openLogReader(nats, {
    stream: names.logStream(1),
    from: 1,
    onMessage: arrived.resolve,
    room: () => 10,
    log: silent,
  });
  const due = new Date().toISOString();
  await publisher.publish(
    names.timerSubject(1, "r1", 7),
    Buffer.from("body"),
    `Nats-Schedule: @at ${due}\r\nNats-Schedule-Target: ${names.dueSubject(1, "r1")}\r\nNats-Schedule-TTL: 168h\r\n`,
  );
  expect((await arrived.promise).subject).toBe(names.eventSubject(1, "r1"));
});
