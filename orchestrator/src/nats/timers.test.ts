import assert from "node:assert/strict";
import { expect, test } from "vitest";
import { parseRunId } from "../../../proto/wire/runId.ts";
import { connectTo, silent } from "../../../test/support/connectTo.ts";
import { startNats } from "../../../test/support/nats.ts";
import { names, timersLeft } from "../../../test/support/orchestrators.ts";
import type { LogMessage } from "../processor/ports.ts";
import { attach } from "./attach.ts";

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
