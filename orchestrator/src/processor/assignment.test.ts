import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { silent } from "../../../test/support/connectTo.ts";
import type { Lease } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import { openAssignment } from "./assignment.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const noBeat: (from: string) => void = () => undefined;

/** An orchestrator that looks at one partition, which another one owns. */
function openGround() {
  const ground = { hearsSinceMs: Date.now() as number | undefined, taken: 0, beat: noBeat };
  const assignment = openAssignment({
    orchestrator: "mine",
    partitions: 1,
    leases: {
      read: async () => ({ lease: { owner: "other", checkpoint: 0 } as Lease, revision: 1 }),
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
