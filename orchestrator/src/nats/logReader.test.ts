import type { Msg } from "@nats-io/transport-node";
import { afterEach, expect, test, vi } from "vitest";
import { connectTo, silent } from "../../../test/support/connectTo.ts";
import { startNats } from "../../../test/support/nats.ts";
import { names } from "../../../test/support/orchestrators.ts";
import { startTcpProxy } from "../../../test/support/tcpProxy.ts";
import { openPublisher } from "../../../runtime/src/publisher.ts";
import type { LogMessage } from "../processor/ports.ts";
import { askJetStream } from "./jetstream.ts";
import { makeConsumer, openLogReader, parsePlace } from "./logReader.ts";
import { takenInTurnMax } from "./turnShare.ts";
import { ensurePartitionsBucket, ensureTopology } from "./topology.ts";
import { openWriter } from "./write.ts";

afterEach(() => void vi.useRealTimers());

const stream = names.logStream(0);
const topology = { names, replicas: 1 };

async function openWriterOf(url: string) {
  const nats = await connectTo(url);
  await ensurePartitionsBucket(nats.connection, topology);
  await ensureTopology(nats.connection, topology, 1, silent);
  const writer = openWriter(nats, openPublisher(nats.connection));
  const subject = names.eventSubject(0, "r");
  return {
    nats,
    /** Stores so many messages, one after the other, whatever happens to the server meanwhile. */
    write: async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) {
        const write = {
          stream,
          subject,
          data: Buffer.from(String(i)),
          headers: "",
          id: undefined,
          isOurs: () => false,
        };
        await writer.write(
          { ...write, onConflict: { kind: "last", subject } },
          { signal: new AbortController().signal },
        );
      }
    },
  };
}

function collect(from = 1): {
  readonly seen: LogMessage[];
  readonly onMessage: (message: LogMessage) => void;
  readonly from: number;
} {
  const seen: LogMessage[] = [];
  return { seen, onMessage: (message) => void seen.push(message), from };
}

function sequences(messages: readonly LogMessage[]): readonly number[] {
  return messages.map(({ sequence }) => sequence);
}

function upTo(first: number, last: number): readonly number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

test("every message comes once and in order, over deaths of the server, cuts and silence", async () => {
  await using server = await startNats();
  await using proxy = await startTcpProxy(server.url);
  await using nats = await connectTo(proxy.url);
  const writer = await openWriterOf(server.url);
  const { seen, ...options } = collect();
  using _reader = openLogReader(nats, { ...options, stream, room: () => 100, log: silent });
  await writer.write(300);
  await expect.poll(() => seen.length).toBeGreaterThan(100);
  proxy.cut();
  await writer.write(300);
  await server.kill9();
  await server.restart();
  await writer.write(300);
  proxy.freeze();
  await writer.write(300);
  proxy.thaw();
  await writer.write(1);
  const { state } = await askJetStream(writer.nats.connection, `STREAM.INFO.${stream}`, undefined);
  await expect.poll(() => seen.at(-1)?.sequence, { timeout: 20_000 }).toBe(state?.last_seq);
  expect(seen.length).toBeGreaterThanOrEqual(1201);
  expect(sequences(seen)).toEqual(upTo(1, seen.length));
  await writer.nats.connection.close();
});

test("a reader begins where it is told, and takes no more than there is room for", async () => {
  await using server = await startNats();
  const writer = await openWriterOf(server.url);
  await writer.write(50);
  const { seen, ...options } = collect(11);
  let room = 7;
  const asked: number[] = [];
  const takeRoom = (): number => {
    const places = room;
    room = 0;
    asked.push(places);
    return places;
  };
  using reader = openLogReader(writer.nats, { ...options, stream, room: takeRoom, log: silent });
  // Asked again when the first pull was filled, and told that there is no room.
  await expect.poll(() => asked.length).toBeGreaterThanOrEqual(2);
  expect(seen).toHaveLength(7);
  room = 1000;
  reader.pull();
  await expect.poll(() => seen.length).toBe(40);
  expect(sequences(seen)).toEqual(upTo(11, 50));
  expect(reader.next()).toBe(51);
  await writer.nats.connection.close();
});

test("a message's bytes are its own: who keeps them keeps nothing of what came over the socket beside them", async () => {
  await using server = await startNats();
  await using nats = await connectTo(server.url);
  const writer = await openWriterOf(server.url);
  const publisher = openPublisher(writer.nats.connection);
  const data = Buffer.alloc(5_000, 7);
  await Promise.all(Array.from({ length: 6 }, () => publisher.publish(names.eventSubject(0, "r"), data)));
  const { seen, ...options } = collect();
  using _reader = openLogReader(nats, { ...options, stream, room: () => 100, log: silent });
  await expect.poll(() => seen.length).toBe(6);
  expect(seen.map((message) => [message.data.length, message.data.buffer.byteLength])).toEqual(
    seen.map(() => [5_000, 5_000]),
  );
  expect(seen.every((message) => Buffer.compare(message.data, data) === 0)).toBe(true);
});

test.each([
  ["$JS.ACK.SIDESTEP_LOG_0.reader1.1.1234.7.1767225600123456789.4", [1234, 7, 1_767_225_600_123]],
  ["$JS.ACK.hub.acc.SIDESTEP_LOG_0.reader1.1.9.3.1767225600999999999.0", [9, 3, 1_767_225_600_999]],
  [
    "$JS.ACK.hub.acc.SIDESTEP_LOG_0.reader1.1.9007199254740991.3.1767225600000000001.0.token",
    [9007199254740991, 3, 1_767_225_600_000],
  ],
])("%s says where its message stands", (reply, [sequence, delivered, storedMs]) => {
  expect(parsePlace(reply)).toEqual({ sequence, delivered, storedMs });
});

test("what is no such reply says nothing", () => {
  expect(parsePlace(undefined)).toBeUndefined();
  expect(parsePlace("_INBOX.a.b")).toBeUndefined();
});

test("what comes in one lump is given out in portions, in order, and two readers share them", async () => {
  await using server = await startNats();
  const { nats } = await openWriterOf(server.url);
  await using _nats = nats;
  using publisher = openPublisher(nats.connection);
  const count = 2_000;
  const subject = names.eventSubject(0, "r");
  await Promise.all(Array.from({ length: count }, (_, i) => publisher.publish(subject, Buffer.from(String(i)))));
  // What is given out between two looks at the turns of the event loop.
  const inTurn: number[] = [0];
  let isOver = false;
  const look = (): void => {
    inTurn.push(0);
    if (!isOver) setImmediate(look);
  };
  setImmediate(look);
  const read = async (): Promise<readonly number[]> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const seen: number[] = [];
    const onMessage = ({ sequence }: LogMessage): void => {
      inTurn[inTurn.length - 1] = (inTurn.at(-1) ?? 0) + 1;
      if (seen.push(sequence) === count) resolve();
    };
    using _reader = openLogReader(nats, { stream, from: 1, onMessage, room: () => 5_000, log: silent });
    await promise;
    return seen;
  };
  const both = await Promise.all([read(), read()]);
  isOver = true;
  expect(both).toEqual([upTo(1, count), upTo(1, count)]);
  // A look may fall before or behind the end of a portion.
  expect(Math.max(...inTurn)).toBeLessThanOrEqual(2 * takenInTurnMax);
});

test("what waits to be given out counts as taken when more is asked for", async () => {
  await using server = await startNats();
  const { nats } = await openWriterOf(server.url);
  await using _nats = nats;
  using publisher = openPublisher(nats.connection);
  const count = 1_000;
  const subject = names.eventSubject(0, "r");
  await Promise.all(Array.from({ length: count }, (_, i) => publisher.publish(subject, Buffer.from(String(i)))));
  let unfinished = 0;
  let most = 0;
  const done = Promise.withResolvers<void>();
  let seen = 0;
  using reader = openLogReader(nats, {
    stream,
    from: 1,
    onMessage: () => {
      most = Math.max(most, (unfinished += 1));
      if ((seen += 1) === count) done.resolve();
      // Done one turn later, and pulled for again then, as a partition does.
      setImmediate(() => {
        unfinished -= 1;
        reader.pull();
      });
    },
    room: () => 100 - unfinished,
    log: silent,
  });
  await done.promise;
  expect(most).toBeLessThanOrEqual(100);
});

test("a log of large messages is read over one connection: no more is on its way than nats-server puts up with, but one message that is larger", async () => {
  // By default it puts up with 64 MB.
  await using server = await startNats({ configuration: "max_pending: 8MB\nmax_payload: 4MB" });
  const writer = await openWriterOf(server.url);
  await using _writing = writer.nats;
  using publisher = openPublisher(writer.nats.connection);
  for (let i = 1; i <= 300; i++) {
    const data = Buffer.alloc(i % 100 === 50 ? 3_000_000 : 100_000);
    expect(await publisher.publish(names.eventSubject(0, "r"), data)).toMatchObject({ kind: "stored" });
  }
  await using nats = await connectTo(server.url);
  let losses = 0;
  nats.onDisconnect(() => void losses++);
  const { seen, ...options } = collect();
  using _reader = openLogReader(nats, { ...options, stream, room: () => 5000, log: silent });
  await expect.poll(() => seen.length, { timeout: 20_000 }).toBe(300);
  expect(sequences(seen)).toEqual(upTo(1, 300));
  expect(losses).toBe(0);
});

/** A server where whoever asks for consumers of a log asks the test. */
async function openApiGround() {
  await using started = new AsyncDisposableStack();
  const mappings = `"$JS.API.CONSUMER.CREATE.LOG.*": "made.$1", "$JS.API.CONSUMER.DELETE.LOG.*": "removed.$1"`;
  const server = started.use(await startNats({ configuration: `mappings = { ${mappings} }` }));
  const nats = started.use(await connectTo(server.url));
  const asked: Msg[] = [];
  const removed: string[] = [];
  nats.connection.subscribe("made.*", { callback: (_, message) => void asked.push(message) });
  nats.connection.subscribe("removed.*", {
    callback: (_, { subject }) => void removed.push(nameIn(subject)),
  });
  const owned = started.move();
  return { nats, asked, removed, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function nameIn(subject: string): string {
  return subject.slice(subject.lastIndexOf(".") + 1);
}

test("only the latest search for a consumer goes on, and none once the reader is gone", async () => {
  await using ground = await openApiGround();
  const { nats, asked } = ground;
  const onReconnect: (() => void)[] = [];
  const link = {
    ...nats,
    onReconnect: (listener: () => void) => {
      onReconnect.push(listener);
      return () => undefined;
    },
  };
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
  const seen: number[] = [];
  const look = async (ms: number): Promise<void> => {
    vi.advanceTimersByTime(ms);
    await nats.connection.flush();
    await nats.connection.flush();
    seen.push(asked.length);
  };
  const reader = openLogReader(link, { ...collect(), stream: "LOG", room: () => 10, log: silent });
  await look(0);
  onReconnect.forEach((listener) => listener());
  await look(0);
  await look(500);
  reader[Symbol.dispose]();
  await look(2_000);
  expect(seen).toEqual([1, 2, 3, 3]);
});

test("a consumer that is made when nobody waits for it any more is removed", async () => {
  await using ground = await openApiGround();
  const { nats, asked, removed } = ground;
  const made = makeConsumer(nats, "LOG", "test", 1);
  await expect.poll(() => asked.length).toBe(2);
  asked[1]?.respond(JSON.stringify({ error: { code: 404, err_code: 10_059, description: "stream not found" } }));
  await expect(made).rejects.toThrow(/stream not found/);
  asked[0]?.respond("{}");
  await expect.poll(() => removed).toEqual([nameIn(asked[0]?.subject ?? "")]);
});
