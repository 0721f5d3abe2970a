import { assert, integer, property, array, record } from "fast-check";
import { expect, test } from "vitest";
import { MethodLimits } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import type { Turns } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import { readLimits, roomOf } from "./limit.ts";
import type { Limit } from "./limit.ts";
import { latenessMs, spacingOf, takeTurns } from "./turns.ts";

const unbound: Limit = {
  method: "a.S/M",
  concurrency: 0,
  concurrencyPerSidecar: 0,
  rate: undefined,
  sinceMs: 7,
  isLifted: false,
};
const limit: Limit = { ...unbound, rate: { calls: 10, perMs: 1_000 } };

test("turns stand evenly apart, from now on or behind the last one", () => {
  expect(takeTurns(undefined, limit, 3, 5_000)).toEqual({
    kind: "turns",
    turns: [5_000, 5_100, 5_200],
    record: { limitMs: 7, lastMs: 5_200 },
  });
  expect(takeTurns({ limitMs: 7, lastMs: 5_200 }, limit, 1, 5_001)).toMatchObject({ turns: [5_300] });
  // What nobody wanted is nobody's.
  expect(takeTurns({ limitMs: 7, lastMs: 5_200 }, limit, 2, 9_000)).toMatchObject({ turns: [9_000, 9_100] });
});

test("turns are given out a second ahead, not further", () => {
  expect(takeTurns({ limitMs: 7, lastMs: 5_700 }, limit, 9, 5_000)).toMatchObject({ turns: [5_800, 5_900, 6_000] });
  expect(takeTurns({ limitMs: 7, lastMs: 6_000 }, limit, 9, 5_000)).toEqual({ kind: "wait", ms: 100 });
  const slow = { ...limit, rate: { calls: 1, perMs: 3_600_000 } };
  expect(takeTurns({ limitMs: 7, lastMs: 5_000 }, slow, 1, 5_001)).toEqual({ kind: "wait", ms: 3_598_999 });
});

test("turns of another limit, or of another clock, hold up nobody", () => {
  expect(takeTurns({ limitMs: 6, lastMs: 5_900 }, limit, 1, 5_000)).toMatchObject({ turns: [5_000] });
  expect(takeTurns({ limitMs: 7, lastMs: 90_000 }, limit, 1, 5_000)).toMatchObject({ turns: [5_000] });
});

test("no span of a rate's time sees more than one call over it, however late calls begin and whoever asks when", () => {
  const asks = array(
    record({
      waitMs: integer({ min: 0, max: 300 }),
      count: integer({ min: 1, max: 40 }),
      lateMs: integer({ min: 0, max: latenessMs }),
    }),
    { minLength: 1, maxLength: 60 },
  );
  assert(
    property(integer({ min: 1, max: 2_000 }), asks, (calls, tries) => {
      const rate = { calls, perMs: 1_000 };
      let turns: Turns | undefined;
      let nowMs = 1_000_000;
      const begun: number[] = [];
      for (const { waitMs, count, lateMs } of tries) {
        nowMs += waitMs;
        const taken = takeTurns(turns, { rate, sinceMs: 1 }, count, nowMs);
        if (taken.kind === "wait") continue;
        turns = taken.record;
        begun.push(...taken.turns.map((turn, index) => turn + (index % 2 === 0 ? lateMs : 0)));
      }
      begun.sort((a, b) => a - b);
      for (let first = 0, last = 0; last < begun.length; last++) {
        while ((begun[first] ?? 0) <= (begun[last] ?? 0) - rate.perMs) first++;
        expect(last - first + 1).toBeLessThanOrEqual(calls + 1);
      }
    }),
  );
});

test("up to 50 calls in its time a rate is reached whole, faster ones up to 2 % below", () => {
  expect(spacingOf({ calls: 50, perMs: 1_000 })).toBe(20);
  expect(spacingOf({ calls: 1_000, perMs: 1_000 })).toBeCloseTo(1.019);
  expect(spacingOf({ calls: 30, perMs: 60_000 })).toBe(2_000);
});

test.each<[number, Partial<Limit>, [inHands: number, parked: number, free: number]]>([
  [64, {}, [0, 0, 64]],
  [4, { concurrency: 4 }, [0, 0, 64]],
  [1, { concurrency: 4 }, [3, 0, 64]],
  [0, { concurrency: 4, concurrencyPerSidecar: 2 }, [2, 0, 64]],
  // More were delivered than asked for.
  [0, { concurrencyPerSidecar: 2 }, [3, 1, 64]],
  [0, {}, [64, 0, 0]],
  // What is parked gets a slot later.
  [2, {}, [5, 5, 7]],
  // Half a second of turns.
  [5, { rate: { calls: 10, perMs: 1_000 } }, [0, 0, 64]],
  [2, { rate: { calls: 10, perMs: 1_000 } }, [9, 3, 64]],
  [1, { rate: { calls: 1, perMs: 60_000 } }, [0, 0, 64]],
  [64, { rate: { calls: 100_000, perMs: 1_000 } }, [0, 0, 100]],
])("room for %i more under %o with %o in hands, parked and free", (room, bounds, [inHands, parked, free]) =>
  expect(roomOf({ ...unbound, ...bounds }, inHands, parked, free)).toBe(room),
);

test("a lifted limit bounds nothing, and what is no record is none", () => {
  const kept = {
    method: "a.S/M",
    concurrency: 1,
    concurrencyPerSidecar: 1,
    rateCalls: 1,
    ratePerMs: 1_000,
    sinceMs: 7,
  };
  const read = (liftedMs: number) => readLimits(MethodLimits.encode({ limit: [{ ...kept, liftedMs }] }).finish());
  expect(read(9)).toEqual([{ ...unbound, isLifted: true }]);
  expect(read(0)).toMatchObject([{ concurrency: 1, rate: { calls: 1, perMs: 1_000 }, isLifted: false }]);
  expect(readLimits(new Uint8Array([255]))).toBeUndefined();
});
