import { DiscardPolicy, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import type { Msg } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import { freePort } from "../../test/support/freePort.ts";
import { startNats } from "../../test/support/nats.ts";
import { logger } from "./log.ts";
import { pause } from "./pause.ts";
import { publishDurably } from "./publishDurably.ts";
import { expectLastLine, headerLine, messageIdLine, openPublisher } from "./publisher.ts";
import { openStoreRoom } from "./storeRoom.ts";

const bytes = new Uint8Array([1, 2, 3]);

test("a stream says stored, duplicate, conflict, and too large for ever", async () => {
  await using nats = await startNats();
  const connection = await connect({ servers: nats.url });
  await (await jetstreamManager(connection)).streams.add({ name: "LOG", subjects: ["log.>"], max_msg_size: 1_000 });
  using publisher = openPublisher(connection);
  expect(await publisher.publish("log.a", bytes, messageIdLine("1"))).toEqual({
    kind: "stored",
    stream: "LOG",
    sequence: 1,
    duplicate: false,
  });
  expect(await publisher.publish("log.a", bytes, messageIdLine("1"))).toMatchObject({
    kind: "stored",
    sequence: 1,
    duplicate: true,
  });
  expect(await publisher.publish("log.a", bytes, expectLastLine(0))).toEqual({
    kind: "conflict",
    message: "wrong last sequence: 1",
  });
  expect(await publisher.publish("log.b", bytes, expectLastLine(0) + messageIdLine("2"))).toMatchObject({
    kind: "stored",
    sequence: 2,
  });
  expect(await publisher.publish("log.a", new Uint8Array(1_001))).toMatchObject({ kind: "permanent", code: 10_054 });
  expect(await publisher.publish("log.a", new Uint8Array(2_000_000))).toMatchObject({ kind: "permanent" });
  expect(await publisher.publish("elsewhere", bytes)).toEqual({
    kind: "retryable",
    code: 503,
    message: "No stream answers.",
  });
  expect(publisher.pending()).toBe(0);
  await connection.close();
});

test.each<[number, number, string]>([
  [400, 10_071, "conflict"],
  [409, 10_158, "retryable"],
  [400, 10_164, "retryable"],
  [429, 10_167, "retryable"],
  [503, 10_008, "retryable"],
  // The disk is full, the account is.
  [500, 10_047, "retryable"],
  [503, 10_023, "retryable"],
  [503, 10_077, "retryable"],
  [400, 10_002, "retryable"],
  [400, 10_111, "permanent"],
])("an error %d/%d is %s", async (code, number, kind) => {
  await using nats = await startNats();
  const connection = await connect({ servers: nats.url });
  connection.subscribe("log.a", {
    callback: (_, message) =>
      void message.respond(JSON.stringify({ error: { code, err_code: number, description: "so" } })),
  });
  using publisher = openPublisher(connection);
  expect(await publisher.publish("log.a", bytes)).toMatchObject({ kind, message: "so" });
  await connection.close();
});

test("garbage, silence and a lost connection say that nobody knows", async () => {
  await using nats = await startNats();
  const connection = await connect({ servers: nats.url, reconnectTimeWait: 50, maxReconnectAttempts: -1 });
  connection.subscribe("garbage", { callback: (_, message) => void message.respond("{") });
  connection.subscribe("silence", { callback: () => undefined });
  using publisher = openPublisher(connection, { timeoutMs: 50 });
  expect(await publisher.publish("garbage", bytes)).toMatchObject({ kind: "retryable" });
  expect(await publisher.publish("silence", bytes)).toMatchObject({ kind: "retryable", code: 408 });
  using patient = openPublisher(connection);
  const cut = patient.publish("silence", bytes);
  await connection.flush();
  await nats.kill9();
  expect(await cut).toMatchObject({ kind: "retryable", message: "The connection to NATS is down." });
  expect(await patient.publish("silence", bytes)).toMatchObject({ kind: "retryable" });
  await connection.close();
});

test("what finds no room waits in order, and what finds no place to wait is retryable", async () => {
  await using nats = await startNats();
  const connection = await connect({ servers: nats.url });
  const asked: { readonly data: string; readonly respond: () => void }[] = [];
  connection.subscribe("log.a", {
    callback: (_, message) =>
      void asked.push({ data: message.string(), respond: () => void message.respond('{"stream":"LOG","seq":1}') }),
  });
  using publisher = openPublisher(connection, { inFlightMax: 2, queueMax: 3 });
  const publish = (text: string) => publisher.publish("log.a", new TextEncoder().encode(text));
  const answers = ["a", "b", "c", "d", "e"].map(publish);
  expect(publisher.pending()).toBe(5);
  expect(await publish("f")).toMatchObject({ kind: "retryable", message: "3 publishes wait for room." });
  await expect.poll(() => asked.map((one) => one.data)).toEqual(["a", "b"]);
  for (let index = 0; index < 5; index += 1) {
    asked[index]?.respond();
    await answers[index];
    await expect.poll(() => asked.length).toBe(Math.min(index + 3, 5));
  }
  expect(asked.map((one) => one.data)).toEqual(["a", "b", "c", "d", "e"]);
  expect(publisher.pending()).toBe(0);
  await connection.close();
});

test("publishing durably goes on until a stream is there, and stores once", async () => {
  await using nats = await startNats();
  const connection = await connect({ servers: nats.url });
  const manager = await jetstreamManager(connection);
  using publisher = openPublisher(connection);
  const retried = Promise.withResolvers<void>();
  const signal = new AbortController().signal;
  const stored = publishDurably(publisher, "LOG", "log.a", bytes, messageIdLine("1"), {
    signal,
    onRetry: () => retried.resolve(),
  });
  await retried.promise;
  await manager.streams.add({ name: "LOG", subjects: ["log.>"] });
  expect(await stored).toMatchObject({ kind: "stored", sequence: 1 });
  const stopped = AbortSignal.abort();
  expect(await publishDurably(publisher, "ELSEWHERE", "elsewhere", bytes, "", { signal: stopped })).toMatchObject({
    kind: "retryable",
  });
  await connection.close();
});

test("a header can't smuggle in another one", () => {
  expect(() => headerLine("A", "b\r\nNats-Rollup: all")).toThrow(/line break/);
});

test("what nobody acknowledged is tried again as soon as its stream answers, and so is what was sent to a leader that stands still", async () => {
  await using nats = await startNats();
  const connection = await connect({ servers: nats.url });
  using publisher = openPublisher(connection, { timeoutMs: 60_000 });
  const { signal } = new AbortController();
  // A leader that takes messages and says nothing, then another that answers.
  const silent = connection.subscribe("log.*", { callback: () => undefined });
  const early = publishDurably(publisher, "LOG", "log.early", bytes, messageIdLine("early"), { signal });
  const refused = await publisher.publish("elsewhere", bytes);
  let isOver = false;
  const waits = publisher.pauseFor("LOG", refused, 60_000, signal).then(() => (isOver = true));
  // Half a second for the only one that waits.
  await waits;
  expect(isOver).toBe(true);
  silent.unsubscribe();
  await (await jetstreamManager(connection)).streams.add({ name: "LOG", subjects: ["log.>"] });
  expect(await publisher.publish("log.late", bytes)).toMatchObject({ kind: "stored", sequence: 1 });
  expect(await early).toMatchObject({ kind: "stored", sequence: 2 });
  await connection.close();
});

test("what a stream has passed over while it answers what came later is retryable after a second", async () => {
  await using nats = await startNats();
  const connection = await connect({ servers: nats.url });
  using publisher = openPublisher(connection, { timeoutMs: 60_000 });
  // A leader that took the first with it.
  connection.subscribe("log.*", {
    callback: (_, message) => {
      if (message.subject !== "log.lost") message.respond(JSON.stringify({ stream: "LOG", seq: 1 }));
    },
  });
  const lost = publisher.publish("log.lost", bytes, "", "LOG");
  void publisher.publish("log.lost", bytes, "", "OTHER");
  const isOver = lost.then((published) => published.kind);
  let later = 0;
  while ((await Promise.race([isOver, publisher.publish("log.later", bytes, "", "LOG")])) !== "retryable") {
    later += 1;
  }
  expect(later).toBeGreaterThan(5);
  expect(await lost).toMatchObject({ kind: "retryable", code: 408 });
  // The other stream has answered nothing, and may yet.
  expect(publisher.pending()).toBeGreaterThanOrEqual(1);
  await connection.close();
});

/** One server of two whose other one is away, or with `configuration` empty a lone one; with something that takes what is published to a log. */
async function openLogGround(configuration: string, take: (message: Msg) => void) {
  await using started = new AsyncDisposableStack();
  const nats = started.use(await startNats({ configuration }));
  const connection = started.adopt(await connect({ servers: nats.url }), (one) => one.close());
  connection.subscribe("log", { callback: (_, message) => take(message) });
  const publisher = started.use(openPublisher(connection, { timeoutMs: 60_000 }));
  const owned = started.move();
  return { publisher, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function oneOfTwo(): Promise<string> {
  const [port, other] = [await freePort(), await freePort()];
  return `server_name: n0\ncluster { name: c, listen: "127.0.0.1:${port}", routes: ["nats://127.0.0.1:${other}"] }`;
}

test("in a cluster, what a stream leaves while it answers nothing for a second is retryable: another server may come to lead it", async () => {
  const leaderThatStandsStill = (): void => undefined;
  await using alone = await openLogGround("", leaderThatStandsStill);
  await using clustered = await openLogGround(await oneOfTwo(), leaderThatStandsStill);
  void alone.publisher.publish("log", bytes, "", "LOG");
  expect(await clustered.publisher.publish("log", bytes, "", "LOG")).toMatchObject({ kind: "retryable", code: 408 });
  expect([alone.publisher.pending(), clustered.publisher.pending()]).toEqual([1, 0]);
});

test("a stream in a cluster that takes longer than a second for each answer is waited for once it has answered late, and not asked again and again", async () => {
  let taken = 0;
  await using clustered = await openLogGround(await oneOfTwo(), (message) => {
    taken += 1;
    const seq = taken;
    void pause(1_800).then(() => message.respond(JSON.stringify({ stream: "LOG", seq })));
  });
  const { publisher } = clustered;
  const { signal } = new AbortController();
  expect(await publishDurably(publisher, "LOG", "log", bytes, "", { signal })).toMatchObject({ kind: "stored" });
  // What was given up, and what was stored.
  expect(taken).toBe(2);
  // A single try, as one of a lease's renewals is.
  expect(await publisher.publish("log", bytes, "", "LOG")).toMatchObject({ kind: "stored", sequence: 3 });
}, 15_000);

test("a stream without room is told of once, until it stores again", async () => {
  await using nats = await startNats();
  const connection = await connect({ servers: nats.url });
  let isFull = true;
  connection.subscribe("log.a", {
    callback: (_, message) => {
      const error = { code: 503, err_code: 10_023, description: "insufficient resources" };
      message.respond(JSON.stringify(isFull ? { error } : { stream: "LOG", seq: 1 }));
    },
  });
  const lines: string[] = [];
  using room = openStoreRoom(logger("test", { write: (line) => void lines.push(line) }));
  const changes: boolean[] = [];
  room.onChange(() => changes.push(room.isFull()));
  using publisher = openPublisher(connection, { room });
  const publish = () => publisher.publish("log.a", bytes, "", "LOG");
  await publish();
  await publish();
  expect(lines.map((line): unknown => JSON.parse(line))).toMatchObject([
    { level: "error", stream: "LOG", answer: "insufficient resources" },
  ]);
  isFull = false;
  await publish();
  await publish();
  expect([changes, lines.length]).toEqual([[true, false], 2]);
  await connection.close();
});

test("a stream of others that is full says nothing of the room for ours", async () => {
  await using nats = await startNats();
  const connection = await connect({ servers: nats.url });
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name: "OTHERS", subjects: ["others.>"], max_msgs: 1, discard: DiscardPolicy.New });
  const lines: string[] = [];
  using room = openStoreRoom(logger("test", { write: (line) => void lines.push(line) }));
  using publisher = openPublisher(connection, { room });
  expect(await publisher.publish("others.a", bytes)).toMatchObject({ kind: "stored" });
  expect(await publisher.publish("others.a", bytes)).toMatchObject({ kind: "retryable", code: 10_077 });
  expect([room.isFull(), lines]).toEqual([false, []]);
  await connection.close();
});
