import assert from "node:assert/strict";
import { expect, test } from "vitest";
import { parseRunId } from "../../../proto/wire/runId.ts";
import { connectTo, silent } from "../../../test/support/connectTo.ts";
import { startNats } from "../../../test/support/nats.ts";
import { names, timersLeft } from "../../../test/support/orchestrators.ts";
import type { LogMessage } from "../processor/ports.ts";
import { attach } from "./attach.ts";
import { askJetStream } from "./jetstream.ts";

const runId = parseRunId("a".repeat(32));
assert(runId !== undefined);
const limits = { signal: new AbortController().signal };

async function openTimers(url: string) {
  const nats = await connectTo(url);
  const { ports } = await attach({ nats, names, partitions: 1, replicas: 1, log: silent, signal: limits.signal });
  return { nats, timers: ports.timers, log: ports.logOf(0) };
}

test("a timer fires into its run's log, once, however often it is armed", async () => {
  await using server = await startNats();
  const { nats, timers, log } = await openTimers(server.url);
  await using _connection = nats;
  const fired: LogMessage[] = [];
  using _reader = log.read({ from: 1, onMessage: (message) => void fired.push(message), room: () => 10 });
  const dueMs = Date.now() + 300;
  for (let i = 0; i < 3; i++) {
    expect(await timers.arm({ partition: 0, runId, name: 1 }, dueMs, Buffer.from("first"), limits)).toMatchObject({
      kind: "stored",
    });
  }
  await timers.arm({ partition: 0, runId, name: 2 }, dueMs + 600, Buffer.from("second"), limits);
  await expect.poll(() => fired.map(({ data }) => Buffer.from(data).toString())).toEqual(["first", "second"]);
  expect(fired.every(({ subject }) => subject === names.eventSubject(0, runId))).toBe(true);
  expect(fired[0]?.storedMs).toBeGreaterThanOrEqual(dueMs);
});

test("a timer survives the death of the server, and one that is cancelled stays so", async () => {
  await using server = await startNats();
  const { nats, timers, log } = await openTimers(server.url);
  await using _connection = nats;
  const fired: LogMessage[] = [];
  using _reader = log.read({ from: 1, onMessage: (message) => void fired.push(message), room: () => 10 });
  const dueMs = Date.now() + 1000;
  for (const name of [1, 2, "closed"]) {
    await timers.arm({ partition: 0, runId, name }, dueMs + (name === 2 ? 500 : 0), Buffer.from(String(name)), limits);
  }
  expect(await timers.cancel({ partition: 0, runId, name: 1 }, limits)).toMatchObject({ kind: "stored" });
  expect(await timers.cancel({ partition: 0, runId, name: "closed" }, limits)).toMatchObject({ kind: "stored" });
  await server.kill9();
  await server.restart();
  await expect.poll(() => fired.map(({ data }) => Buffer.from(data).toString()), { timeout: 10_000 }).toEqual(["2"]);
  expect(await timersLeft(server.url)).toEqual([]);
});

test("a timer armed and cancelled without waiting in between does not fire", async () => {
  await using server = await startNats();
  const { nats, timers } = await openTimers(server.url);
  await using _connection = nats;
  const all = Array.from({ length: 500 }, (_, name) => ({ partition: 0, runId, name }));
  const dueMs = Date.now() + 60_000;
  await Promise.all(
    all.flatMap((timer) => [timers.arm(timer, dueMs, Buffer.from("x"), limits), timers.cancel(timer, limits)]),
  );
  expect(await timersLeft(server.url)).toEqual([]);
});

test("what a run's timers have left goes with the run, also what has fired", async () => {
  await using server = await startNats();
  const { nats, timers, log } = await openTimers(server.url);
  await using _connection = nats;
  const fired: LogMessage[] = [];
  using _reader = log.read({ from: 1, onMessage: (message) => void fired.push(message), room: () => 10 });
  const stays = parseRunId("b".repeat(32));
  assert(stays !== undefined);
  for (const of of [runId, stays]) {
    await timers.arm({ partition: 0, runId: of, name: 1 }, Date.now(), Buffer.from("fires"), limits);
    await timers.arm({ partition: 0, runId: of, name: 2 }, Date.now() + 600_000, Buffer.from("waits"), limits);
  }
  await expect.poll(() => fired.length).toBe(2);
  expect(await timers.runs(0, 10)).toEqual(new Set([runId, stays]));
  await timers.remove(0, runId);
  expect(await subjectsOf(server.url)).toEqual(
    [names.dueSubject(0, stays), names.timerSubject(0, stays, 2)].toSorted(),
  );
  expect(await timers.runs(0, 10)).toEqual(new Set([stays]));
});

test("a timer that fired while its log took nothing is not lost, whatever the log took before and after, over a kill of the server", async () => {
  await using server = await startNats();
  const { nats, timers, log } = await openTimers(server.url);
  await using _connection = nats;
  const { connection } = nats;
  const fired: string[] = [];
  using _reader = log.read({
    from: 1,
    onMessage: ({ data }) => void fired.push(Buffer.from(data).toString()),
    room: () => 10,
  });
  const stream = names.logStream(0);
  const other = () => connection.request(names.eventSubject(0, runId), Buffer.from("other"));
  // What the source took last is not in the log any more, so nothing in it tells how far it was.
  await timers.arm({ partition: 0, runId, name: 1 }, Date.now(), Buffer.from("first"), limits);
  await expect.poll(() => fired).toEqual(["first"]);
  await other();
  await askJetStream(connection, `STREAM.PURGE.${stream}`, { seq: 2 });
  const { config } = await askJetStream(connection, `STREAM.INFO.${stream}`, undefined);
  const hold = (max_msgs: number) =>
    askJetStream(connection, `STREAM.UPDATE.${stream}`, { ...config, max_msgs, discard: "new" });
  await hold(1);
  await timers.arm({ partition: 0, runId, name: 2 }, Date.now(), Buffer.from("second"), limits);
  await expect.poll(() => subjectsOf(server.url)).toEqual([names.dueSubject(0, runId)]);
  // The log goes on with what is younger than what fired.
  await hold(2);
  await other();
  await server.kill9();
  await server.restart();
  await expect.poll(() => hold(-1).catch(() => undefined), { timeout: 20_000 }).toBeDefined();
  await expect.poll(() => fired, { timeout: 25_000 }).toEqual(["first", "other", "other", "second"]);
}, 60_000);

/** All that is in the timer stream, by subject. */
async function subjectsOf(url: string): Promise<readonly string[]> {
  await using nats = await connectTo(url);
  const about = { subjects_filter: ">" };
  const { state } = await askJetStream(nats.connection, `STREAM.INFO.${names.timersStream}`, about);
  return Object.keys(state?.subjects ?? {}).toSorted();
}
