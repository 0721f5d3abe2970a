import assert from "node:assert/strict";
import { expect, test } from "vitest";
import { parseRunId } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import { pause } from "../../../runtime/src/pause.ts";
import { messageIdLine, openPublisher } from "../../../runtime/src/publisher.ts";
import type { Published, Publisher } from "../../../runtime/src/publisher.ts";
import { connectTo, silent } from "../../../test/support/connectTo.ts";
import { startNats } from "../../../test/support/nats.ts";
import { names } from "../../../test/support/orchestrators.ts";
import { startTcpProxy } from "../../../test/support/tcpProxy.ts";
import { openDirectGets } from "./directGet.ts";
import { openLoneStreams } from "./loneStreams.ts";
import { toPartitionLog } from "./partitionLog.ts";
import { ensurePartitionsBucket, ensureTopology } from "./topology.ts";
import { openWriter } from "./write.ts";
import type { Writer } from "./write.ts";

const event = Buffer.from("event");
const limits = { signal: new AbortController().signal };

function makeRunId(digit: string): RunId {
  const runId = parseRunId(digit.repeat(32));
  assert(runId !== undefined);
  return runId;
}

async function openLog(url: string) {
  const nats = await connectTo(url);
  await ensurePartitionsBucket(nats.connection, { names, replicas: 1 });
  await ensureTopology(nats.connection, { names, replicas: 1 }, 1, silent);
  const publisher = openPublisher(nats.connection, { timeoutMs: 1000 });
  const writer = openWriter(nats, publisher);
  return { nats, publisher, log: openLogBy(nats, writer) };
}

test("a start whose acknowledgement was lost is found to be our own, and stored once", async () => {
  await using server = await startNats();
  await using proxy = await startTcpProxy(server.url);
  const { log, nats } = await openLog(proxy.url);
  await using _connection = nats;
  const runId = makeRunId("a");
  proxy.loseAnswers();
  const written = log.appendFirst(runId, event, limits);
  // It is stored by now, and nobody told us.
  await using other = await connectTo(server.url);
  await expect.poll(async () => (await openLogOn(other).load(runId)).length).toBe(1);
  proxy.cut();
  expect(await written).toEqual({ kind: "stored", sequence: 1 });
  expect(await log.load(runId)).toHaveLength(1);
});

test("of two starts of one run one is stored, the other told so", async () => {
  await using server = await startNats();
  const { log, nats } = await openLog(server.url);
  await using _connection = nats;
  const runId = makeRunId("b");
  const both = await Promise.all([
    log.appendFirst(runId, event, limits),
    log.appendFirst(runId, Buffer.from("other"), limits),
  ]);
  expect(both.map(({ kind }) => kind).toSorted()).toEqual(["conflict", "stored"]);
  expect(await log.load(runId)).toHaveLength(1);
});

test("an end is refused when the run's events have moved, and outcomes don't count", async () => {
  await using server = await startNats();
  const { log, nats, publisher } = await openLog(server.url);
  await using _connection = nats;
  const runId = makeRunId("c");
  await log.appendFirst(runId, event, limits);
  await publisher.publish(names.outSubject("test.v1.Things", 0, runId), Buffer.from("outcome"));
  expect(await log.appendAfter(runId, 1, Buffer.from("end"), limits)).toEqual({ kind: "stored", sequence: 3 });
  expect(await log.appendAfter(runId, 1, Buffer.from("another end"), limits)).toEqual({ kind: "conflict" });
  // Our own, whose acknowledgement a former life did not see.
  expect(await log.appendAfter(runId, 1, Buffer.from("end"), limits)).toEqual({ kind: "stored", sequence: 3 });
});

test("a message id that somebody else has used does not swallow an event", async () => {
  await using server = await startNats();
  const { log, nats, publisher } = await openLog(server.url);
  await using _connection = nats;
  const runId = makeRunId("d");
  await publisher.publish(names.outSubject("test.v1.Things", 0, runId), Buffer.from("poison"), messageIdLine("the id"));
  expect(await log.append(runId, "the id", event, limits)).toEqual({ kind: "stored", sequence: 2 });
  expect(await log.append(runId, "the id", event, limits)).toMatchObject({ kind: "stored" });
  const stored = await log.load(runId);
  expect(stored.filter(({ subject }) => subject.endsWith(".e")).map(({ data }) => String(data))).toEqual(["event"]);
});

test("what can never be stored is rejected, at once", async () => {
  await using server = await startNats();
  const { log, nats } = await openLog(server.url);
  await using _connection = nats;
  const written = await log.append(makeRunId("e"), "large", new Uint8Array(2 * 1024 * 1024), limits);
  expect(written.kind).toBe("rejected");
});

test("a write outlives the death and the return of nats-server", async () => {
  await using server = await startNats();
  const { log, nats } = await openLog(server.url);
  await using _connection = nats;
  await server.kill9();
  const written = log.append(makeRunId("f"), "id", event, limits);
  await server.restart();
  expect(await written).toEqual({ kind: "stored", sequence: 1 });
});

test("a write that its stream does not take for long, while it takes others, is deferred", async () => {
  await using server = await startNats();
  const { nats } = await openLog(server.url);
  await using _connection = nats;
  const stored: Published = { kind: "stored", stream: "S", sequence: 1, duplicate: false };
  const refused: Published = { kind: "retryable", code: 10158, message: "in process" };
  const publisher: Publisher = {
    publish: (subject) => Promise.resolve(subject === "stuck" ? refused : stored),
    pending: () => 0,
    pauseFor: (_stream, _answer, ms) => pause(ms),
    [Symbol.dispose]: () => undefined,
  };
  const writer = openWriter(nats, publisher);
  const write = (subject: string) => ({
    stream: "S",
    subject,
    data: event,
    headers: "",
    id: "id",
    onConflict: { kind: "last", subject } as const,
    isOurs: () => false,
  });
  expect(await writer.write(write("other"), limits)).toEqual({ kind: "stored", sequence: 1 });
  expect(await writer.write(write("stuck"), { ...limits, deferAfterMs: 0 })).toEqual({
    kind: "deferred",
    reason: "in process",
  });
});

function openLogOn(nats: Nats) {
  return openLogBy(nats, openWriter(nats, openPublisher(nats.connection)));
}

function openLogBy(nats: Nats, writer: Writer) {
  const loneStreams = openLoneStreams(nats, Date.now);
  const directGets = openDirectGets(nats, loneStreams);
  return toPartitionLog({ nats, names, writer, directGets, loneStreams, log: silent }, 0);
}
