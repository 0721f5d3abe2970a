import assert from "node:assert/strict";
import { expect, test } from "vitest";
import { parseRunId } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { openPublisher } from "../../../runtime/src/publisher.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import { connectTo, silent } from "../../../test/support/connectTo.ts";
import { startNats } from "../../../test/support/nats.ts";
import { names, service } from "../../../test/support/orchestrators.ts";
import { openDirectGets } from "./directGet.ts";
import type { DirectGets } from "./directGet.ts";
import { openLoneStreams } from "./loneStreams.ts";
import { toPartitionLog } from "./partitionLog.ts";
import { ensurePartitionsBucket, ensureTopology } from "./topology.ts";
import { toRunPayloads } from "./payloads.ts";
import { toTimers } from "./timers.ts";
import { openWriter } from "./write.ts";

const topology = { names, replicas: 1 };

function makeRunId(digit: string): RunId {
  const runId = parseRunId(digit.repeat(32));
  assert(runId !== undefined);
  return runId;
}

async function openLog(url: string, lagging?: DirectGets) {
  const nats = await connectTo(url);
  await ensurePartitionsBucket(nats.connection, topology);
  await ensureTopology(nats.connection, topology, 1, silent);
  const publisher = openPublisher(nats.connection);
  const writer = openWriter(nats, publisher);
  // Only where there are replicas may one lag behind.
  const loneStreams = lagging === undefined ? openLoneStreams(nats, Date.now) : { has: () => Promise.resolve(false) };
  const directGets = lagging ?? openDirectGets(nats, loneStreams);
  const log = toPartitionLog({ nats, names, writer, directGets, loneStreams, log: silent }, 0);
  return { nats, publisher, writer, log };
}

test("a run's events and outcomes are loaded in order, page by page, and nobody else's", async () => {
  await using server = await startNats();
  const { nats, publisher, log } = await openLog(server.url);
  await using _connection = nats;
  const [runId, other] = [makeRunId("a"), makeRunId("b")];
  await Promise.all(
    Array.from({ length: 2500 }, (_, i) =>
      publisher.publish(
        i % 3 === 0 ? names.outSubject(service, 0, runId) : names.eventSubject(0, i % 3 === 1 ? runId : other),
        Buffer.from(String(i)),
      ),
    ),
  );
  const messages = await log.load(runId);
  expect(messages).toHaveLength(1667);
  expect(messages.map(({ data }) => Number(data.toString()) % 3).includes(2)).toBe(false);
  const order = messages.map(({ sequence }) => sequence);
  expect(order).toEqual(order.toSorted((a, b) => a - b));
  expect(await log.load(makeRunId("c"))).toEqual([]);
});

test("of events at hand only what comes before them is read, all of it, whatever else has come", async () => {
  await using server = await startNats();
  const { nats, publisher, log } = await openLog(server.url);
  await using _connection = nats;
  const [runId, other] = [makeRunId("a"), makeRunId("b")];
  const publish = async (subject: string): Promise<number> => {
    const published = await publisher.publish(subject, Buffer.from("x"));
    assert(published.kind === "stored");
    return published.sequence;
  };
  const event = (id = runId): Promise<number> => publish(names.eventSubject(0, id));
  const load = async (from: number, events: number): Promise<readonly number[]> =>
    (await log.load(runId, { from, events })).map(({ sequence }) => sequence);
  const start = await event();
  await event(other);
  const first = await event();
  // What is at hand is not looked for; without anything between, the start is all there is.
  expect(await load(first, 1)).toEqual([start]);
  expect(await load(start, 2)).toEqual([]);
  const second = await event();
  const outcome = await publish(names.outSubject(service, 0, runId));
  const third = await event();
  expect(await load(third, 1)).toEqual([start, first, second, outcome]);
  expect(await load(second, 2)).toEqual([start, first, outcome]);
  // The third has come since, and may be read as well; what comes before the first may not be left out for it.
  expect((await load(second, 1)).slice(0, 2)).toEqual([start, first]);
  // One that somebody else removed is no other's place.
  expect((await load(third, 4)).slice(0, 3)).toEqual([start, first, second]);
  expect(await load(third + 1, 0)).toEqual([start, first, second, outcome, third]);
});

test("a run with more bytes than nats-server puts on its way at a time is read whole, all of it and what comes before the events at hand", async () => {
  // By default it is 64 MB.
  await using server = await startNats({ configuration: "max_pending: 4MB" });
  const { nats, publisher, log } = await openLog(server.url);
  await using _connection = nats;
  const runId = makeRunId("a");
  const sequences: number[] = [];
  for (let i = 0; i < 100; i++) {
    const published = await publisher.publish(names.eventSubject(0, runId), Buffer.alloc(100_000));
    assert(published.kind === "stored");
    sequences.push(published.sequence);
  }
  expect((await log.load(runId)).map(({ sequence }) => sequence)).toEqual(sequences);
  const from = sequences.pop();
  assert(from !== undefined);
  const before = (await log.load(runId, { from, events: 1 })).filter(({ sequence }) => sequence < from);
  expect(before.map(({ sequence }) => sequence)).toEqual(sequences);
});

test("what a lagging replica leaves out is read from the leader", async () => {
  await using server = await startNats();
  const { nats, log } = await openLog(server.url, {
    read: () => Promise.resolve([]),
    readFirst: () => Promise.resolve({ messages: [], pending: 0 }),
    [Symbol.dispose]: () => undefined,
  });
  await using _connection = nats;
  const runId = makeRunId("a");
  const limits = { signal: new AbortController().signal };
  for (let i = 0; i < 5; i++) await log.append(runId, String(i), Buffer.from(String(i)), limits);
  const messages = await log.load(runId);
  expect(messages.map(({ data }) => data.toString())).toEqual(["0", "1", "2", "3", "4"]);
});

test("every way of reading gives a message the same time", async () => {
  await using server = await startNats();
  const { nats, log } = await openLog(server.url);
  await using _connection = nats;
  const runId = makeRunId("a");
  const limits = { signal: new AbortController().signal };
  for (let i = 0; i < 20; i++) await log.append(runId, String(i), Buffer.from(String(i)), limits);
  const read: number[] = [];
  using _reader = log.read({ from: 1, onMessage: ({ storedMs }) => void read.push(storedMs), room: () => 100 });
  await expect.poll(() => read.length).toBe(20);
  expect((await log.load(runId)).map(({ storedMs }) => storedMs)).toEqual(read);
  expect((await log.firstEvent(runId))?.storedMs).toBe(read[0]);
});

test("an owner's record is never overwritten by one of a lower or equal epoch of somebody else", async () => {
  await using server = await startNats();
  const { nats, log } = await openLog(server.url);
  await using _connection = nats;
  const { signal } = new AbortController();
  expect(await log.writeOwner("one", 2, signal)).toEqual({ kind: "stored", sequence: 1 });
  expect(await log.writeOwner("one", 2, signal)).toEqual({ kind: "stored", sequence: 1 });
  expect(await log.writeOwner("two", 2, signal)).toEqual({ kind: "conflict" });
  expect(await log.writeOwner("two", 1, signal)).toEqual({ kind: "conflict" });
  expect(await log.writeOwner("two", 3, signal)).toEqual({ kind: "stored", sequence: 2 });
});

test("the head is cut off up to a position, whoever it is of; the owner's record is written again behind it, unless a later one stands there", async () => {
  await using server = await startNats();
  const { nats, publisher, log } = await openLog(server.url);
  await using _connection = nats;
  const { signal } = new AbortController();
  const [runId, other] = [makeRunId("a"), makeRunId("b")];
  await log.writeOwner("one", 2, signal);
  await publisher.publish(names.outSubject(service, 0, runId), Buffer.from(""));
  await publisher.publish(names.eventSubject(0, other), Buffer.from(""));
  expect([await log.head(), await log.firstOf(runId), await log.firstOf(other)]).toEqual([1, 2, 3]);
  await log.keepOwner(2, signal);
  await log.cutHead(2);
  expect([await log.head(), await log.firstOf(runId), await log.firstOf(other)]).toEqual([3, undefined, 3]);
  expect(await log.positions(other)).toEqual({ event: 3, outcome: 0, ownerEpoch: 2 });
  await log.keepOwner(3, signal);
  expect((await log.end()).lastSequence).toBe(4);
  expect(await log.writeOwner("one", 2, signal)).toEqual({ kind: "stored", sequence: 4 });
  expect(await log.writeOwner("two", 3, signal)).toEqual({ kind: "stored", sequence: 5 });
  await log.cutHead(5);
  expect([await log.head(), (await log.end()).lastSequence]).toEqual([6, 5]);
});

test("which runs have timers or payloads is listed, unless that would be a long list", async () => {
  await using server = await startNats();
  const { nats, publisher, writer } = await openLog(server.url);
  await using _connection = nats;
  const [runId, other] = [makeRunId("a"), makeRunId("b")];
  const [timers, payloads] = [toTimers(nats, names, writer), toRunPayloads(nats, names, publisher)];
  expect([await timers.runs(0, 10), await payloads.runs(10)]).toEqual([new Set(), new Set()]);
  const limits = { signal: AbortSignal.timeout(10_000) };
  for (const [partition, run] of [
    [0, runId],
    [1, other],
  ] as const)
    await timers.arm({ partition, runId: run, name: 1 }, Date.now() + 3_600_000, new Uint8Array(1), limits);
  for (const by of [service, "test.v1.Others"]) await payloads.put(by, other, new Uint8Array(1_200_000), limits.signal);
  expect([await timers.runs(0, 10), await payloads.runs(10)]).toEqual([new Set([runId]), new Set([other])]);
  expect([await timers.runs(0, 1), await payloads.runs(5)]).toEqual([undefined, undefined]);
});

test("the next messages are read from a position on, past what is gone, and at the end there are none", async () => {
  await using server = await startNats({ configuration: "max_payload: 16MB" });
  const { nats, publisher, log } = await openLog(server.url);
  await using _connection = nats;
  const [runId, other] = [makeRunId("a"), makeRunId("b")];
  const sizes = [1, 1, 9_000_000, 1, 1];
  for (const [i, size] of sizes.entries())
    await publisher.publish(names.eventSubject(0, i === 1 ? other : runId), new Uint8Array(size));
  await log.remove(other, 1, 5);
  const positions = async (from: number, count: number) =>
    (await log.next(from, count)).map(({ sequence }) => sequence);
  expect(await positions(1, 1)).toEqual([1]);
  // One that is larger than what comes at a time comes alone.
  expect(await positions(2, 10)).toEqual([3]);
  expect(await positions(4, 10)).toEqual([4, 5]);
  expect(await positions(6, 10)).toEqual([]);
  expect((await log.next(5, 1))[0]).toMatchObject({ subject: names.eventSubject(0, runId) });
});

test("all of a run is removed as far as asked, however far apart it is, and nobody else's", async () => {
  await using server = await startNats();
  const { nats, publisher, log } = await openLog(server.url);
  await using _connection = nats;
  const [runId, other] = [makeRunId("a"), makeRunId("b")];
  const mine = (kind: "e" | "o") =>
    publisher.publish(
      kind === "e" ? names.eventSubject(0, runId) : names.outSubject(service, 0, runId),
      Buffer.from(""),
    );
  await mine("o");
  await mine("e");
  for (let filled = 0; filled < 60_000; filled += 2000) {
    const some = Array.from({ length: 2000 }, () => publisher.publish(names.eventSubject(0, other), Buffer.from("")));
    await Promise.all(some);
  }
  await mine("o");
  await mine("e");
  await mine("e");
  await log.remove(runId, 2, 60_004);
  expect((await log.load(runId)).map(({ sequence }) => sequence)).toEqual([60_005]);
  expect((await log.next(3, 1))[0]?.subject).toBe(names.eventSubject(0, other));
});

test("where there are no replicas, a load asks for nothing but the run's messages", async () => {
  await using server = await startNats();
  const { nats, log } = await openLog(server.url);
  await using _connection = nats;
  const runId = makeRunId("a");
  await log.append(runId, "1", Buffer.from("1"), { signal: new AbortController().signal });
  await log.load(runId);
  const asked: string[] = [];
  using _ = observe(nats, (subject) => void asked.push(subject));
  expect(await log.load(runId)).toHaveLength(1);
  const { connection } = nats;
  await connection.flush();
  expect(asked.filter((subject) => !subject.startsWith("$JS.API.DIRECT.GET."))).toEqual([]);
  expect(asked).toHaveLength(2);
});

/** Hears of the requests to JetStream that reach the server. */
function observe({ connection }: Nats, onRequest: (subject: string) => void): Disposable {
  const subscription = connection.subscribe("$JS.API.>", { callback: (_, { subject }) => onRequest(subject) });
  return { [Symbol.dispose]: () => subscription.unsubscribe() };
}
