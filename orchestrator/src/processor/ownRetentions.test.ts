import { expect, test } from "vitest";
import { Event, RunEnded } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { toNames } from "../../../proto/wire/subjects.ts";
import { silentLog } from "../../../runtime/src/log.ts";
import type { Ground } from "./ownership.ts";
import { openOwnRetentions } from "./ownRetentions.ts";
import type { LogMessage } from "./ports.ts";
import { zeroCounts } from "./ownership.ts";

const hourMs = 3_600_000;
const names = toNames();
const runOf = (number: number): RunId => `0198c0ffee0010008000${number.toString(16).padStart(12, "0")}` as RunId;

/** A log of ends, each of which is kept for a time of its own; all ended at 0. Ports in memory. */
function openLog(keptMs: readonly number[]) {
  const messages = new Map<RunId, LogMessage>();
  for (const [at, retentionMs] of keptMs.entries()) {
    const value = { ...RunEnded.decode(new Uint8Array()), retentionMs };
    const data = Event.encode({ kind: { $case: "runEnded", value } }).finish();
    const runId = runOf(at + 1);
    messages.set(runId, { sequence: at + 1, subject: names.eventSubject(0, runId), data, storedMs: 0 });
  }
  const clock = { nowMs: 0, now: () => clock.nowMs };
  const gone = new Map<RunId, number>();
  let reads = 0;
  const ground = {
    clock,
    counts: zeroCounts(),
    logger: silentLog,
    signal: new AbortController().signal,
    isLive: () => true,
    durable: () => keptMs.length,
    passedMs: () => Infinity,
    partition: 0,
    keys: {},
    timers: { runs: () => Promise.resolve(new Set()) },
    payloads: { runs: () => Promise.resolve(new Set()) },
    log: {
      next: (from: number) => {
        reads += 1;
        return Promise.resolve([...messages.values()].filter(({ sequence }) => sequence >= from));
      },
      firstEvent: (runId: RunId) => Promise.resolve(messages.get(runId)),
      remove: (runId: RunId) => {
        messages.delete(runId);
        if (!gone.has(runId)) gone.set(runId, clock.nowMs);
        return Promise.resolve();
      },
    },
  } as object as Ground;
  return { ground, clock, gone, reads: () => reads };
}

/** Sweeps each hour until so many have gone by; how often the log was read at most in one of them. */
async function sweepFor(
  hours: number,
  { clock, reads }: ReturnType<typeof openLog>,
  own: ReturnType<typeof openOwnRetentions>,
): Promise<number> {
  let most = 0;
  for (let hour = 1; hour <= hours; hour++) {
    clock.nowMs = hour * hourMs;
    const before = reads();
    await own.sweep();
    most = Math.max(most, reads() - before);
  }
  return most;
}

test("a few times that workflows say are kept to exactly, each by a sweep of its own", async () => {
  const kept = Array.from({ length: 16 }, (_, at) => (at + 1) * 10 * hourMs);
  const log = openLog(kept);
  const own = openOwnRetentions(log.ground, [], 0);
  for (const [at, ms] of kept.entries()) own.note(ms, at + 1);
  await sweepFor(170, log, own);
  expect([...log.gone.values()]).toEqual(kept);
  expect(own.swept()).toEqual([]);
});

test("many times that workflows say cost a bounded number of reads; no run goes early, and each within twice its time", async () => {
  const kept = Array.from({ length: 500 }, (_, at) => (at + 1) * hourMs);
  const log = openLog(kept);
  const own = openOwnRetentions(log.ground, [], 0);
  for (const [at, ms] of kept.entries()) own.note(ms, at + 1);
  expect(own.swept().length).toBeLessThanOrEqual(16 + 21);
  const reads = await sweepFor(1_030, log, own);
  expect(reads).toBeLessThanOrEqual(16 + 21);
  for (const [at, ms] of kept.entries()) {
    const goneMs = log.gone.get(runOf(at + 1));
    expect(goneMs).toBeGreaterThanOrEqual(ms);
    expect(goneMs).toBeLessThan(2 * ms + hourMs);
  }
  expect(own.swept()).toEqual([]);
});

test("who takes over goes on with what the lease says, and new ends join it", async () => {
  const log = openLog([hourMs, 2 * hourMs, hourMs]);
  const own = openOwnRetentions(
    log.ground,
    [
      { retentionMs: hourMs, swept: 0 },
      { retentionMs: 2 * hourMs, swept: 1 },
    ],
    2,
  );
  own.note(hourMs, 3);
  await sweepFor(1, log, own);
  expect([...log.gone.keys()]).toEqual([runOf(1), runOf(3)]);
  await sweepFor(3, log, own);
  expect([...log.gone.keys()]).toEqual([runOf(1), runOf(3), runOf(2)]);
});
