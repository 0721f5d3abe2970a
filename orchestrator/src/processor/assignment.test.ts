import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { silent } from "../../../test/support/connectTo.ts";
import type { Lease } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import { openAssignment } from "./assignment.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const noBeat: (from: string) => void = () => undefined;

/** An orchestrator that looks at one partition, which another one owns. */
function openGround() {
  const ground = { hearsSinceMs: Date.now() as number | undefined, taken: 0, revision: 1, beat: noBeat };
  const assignment = openAssignment({
    orchestrator: "mine",
    partitions: 1,
    leases: {
      read: async () => ({ lease: { owner: "other", checkpoint: 0 } as Lease, revision: ground.revision }),
      write: () => Promise.reject(new Error("no lease is written here")),
    },
    beats: {
      beat: () => undefined,
      released: () => undefined,
      listen: (onBeat) => {
        ground.beat = (from) => onBeat(from, false);
        return { [Symbol.dispose]: () => undefined };
      },
    },
    hearsSinceMs: () => ground.hearsSinceMs,
    silenceMs: 3_000,
    now: Date.now,
    logger: silent,
    toHolding: () => {
      ground.taken++;
      throw new Error("that is all that is looked at here");
    },
    onHeld: () => ({ [Symbol.dispose]: () => undefined }),
  });
  return Object.assign(ground, { assignment });
}

test("the partition of an orchestrator that has fallen silent is taken", async () => {
  const ground = openGround();
  await vi.advanceTimersByTimeAsync(2_900);
  ground.beat("other");
  await vi.advanceTimersByTimeAsync(2_900);
  expect(ground.taken).toBe(0);
  await vi.advanceTimersByTimeAsync(700);
  expect(ground.taken).toBeGreaterThan(0);
  await ground.assignment.release();
});

test("who has just come to another server has heard nobody, however short the way was", async () => {
  const ground = openGround();
  await vi.advanceTimersByTimeAsync(2_900);
  // Between two looks.
  ground.hearsSinceMs = Date.now();
  await vi.advanceTimersByTimeAsync(2_900);
  expect(ground.taken).toBe(0);
  ground.hearsSinceMs = undefined;
  await vi.advanceTimersByTimeAsync(5_000);
  expect(ground.taken).toBe(0);
  await ground.assignment.release();
});

test("the partition of an orchestrator that is gone is taken even where connections never last for long enough to tell by its silence", async () => {
  const ground = openGround();
  const flap = async (times: number): Promise<void> => {
    for (let flaps = 0; flaps < times; flaps++) {
      ground.hearsSinceMs = Date.now();
      await vi.advanceTimersByTimeAsync(2_000);
    }
  };
  await flap(8);
  // Its lease may have been renewed just before it was seen first, and lasts for 15 s.
  expect(ground.taken).toBe(0);
  await flap(3);
  expect(ground.taken).toBeGreaterThan(0);
  await ground.assignment.release();
});

test("the same where the clock has been set back", async () => {
  const ground = openGround();
  await vi.advanceTimersByTimeAsync(1_000);
  vi.setSystemTime(Date.now() - 3_600_000);
  await vi.advanceTimersByTimeAsync(22_000);
  expect(ground.taken).toBeGreaterThan(0);
  await ground.assignment.release();
});

test("who renews its lease keeps its partition, however long nothing else is heard", async () => {
  const ground = openGround();
  for (let renewals = 0; renewals < 30; renewals++) {
    ground.hearsSinceMs = Date.now();
    ground.revision += 1;
    await vi.advanceTimersByTimeAsync(1_000);
  }
  expect(ground.taken).toBe(0);
  await ground.assignment.release();
});
