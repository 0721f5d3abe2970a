import assert from "node:assert/strict";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { silent } from "../../../test/support/connectTo.ts";
import { parseRunId } from "../../../proto/wire/runId.ts";
import { testRunId } from "../engine/testing/records.ts";
import type { Ownership } from "./ownership.ts";
import type { Standing } from "./reach.ts";
import { toResidentRun } from "./residentRun.ts";
import type { ResidentRun } from "./residentRun.ts";
import { Seeker } from "./seeker.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const parsed = parseRunId(testRunId);
assert(parsed !== undefined);
const runId = parsed;

/** A seeker in a partition whose loop stands like this, one look after the other. The run is loaded as one that goes on. */
function openGround(...standings: readonly (Standing | Error)[]) {
  const left = [...standings];
  const ground = { memory: undefined as ResidentRun | undefined, loads: 0, looked: 0, unknown: 0, isLive: true };
  const owner: Partial<Ownership> = { signal: new AbortController().signal, logger: silent };
  const ready = Object.assign(toResidentRun(runId, 0), { phase: "ready" });
  const seeker = new Seeker({
    owner: owner as Ownership,
    residents: {
      get: () => ground.memory,
      ensure: async () => {
        ground.loads++;
        return ready;
      },
    },
    reach: {
      standing: async () => {
        const next = left.shift() ?? "behind";
        if (next instanceof Error) throw next;
        return next;
      },
    },
    waiters: { look: () => void ground.looked++, unknown: () => void ground.unknown++ },
    isLive: () => ground.isLive,
  });
  return Object.assign(ground, { seeker, ready });
}

test("a run that has not been read yet is not looked for while the loop is behind, nor once it has been read", async () => {
  const ground = openGround("behind", new Error("the log is away"), "behind");
  ground.seeker.soon(runId);
  await vi.advanceTimersByTimeAsync(2_500);
  ground.memory = ground.ready;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(ground).toMatchObject({ loads: 0, looked: 0 });
});

test("it is loaded once the loop is at the end of the log and has not brought it", async () => {
  const ground = openGround("behind", "up to date");
  ground.seeker.soon(runId);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(ground.loads).toBe(0);
  await vi.advanceTimersByTimeAsync(200);
  expect(ground).toMatchObject({ loads: 1, looked: 1 });
});

test("a loop that stands still is not waited for without end", async () => {
  const ground = openGround();
  ground.seeker.seek(runId);
  await vi.advanceTimersByTimeAsync(4_900);
  expect(ground.loads).toBe(0);
  await vi.advanceTimersByTimeAsync(200);
  expect(ground).toMatchObject({ loads: 1, looked: 1 });
});

test("nothing is looked for once the partition is left", async () => {
  const ground = openGround("up to date");
  ground.seeker.soon(runId);
  ground.isLive = false;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(ground.loads).toBe(0);
});
