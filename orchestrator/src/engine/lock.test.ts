import { expect, test } from "vitest";
import type { Event, LockHolder } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { advanceLock, newLock } from "./lock.ts";
import type { LockState } from "./lock.ts";

const lock = "stock 7";

function holder(number: number, generation = 0): LockHolder {
  return { runId: new Uint8Array(16).fill(number), step: { step: "take", generation } };
}

/** A lock that is told what happens, and the numbers of the runs to which it is granted. */
function openLock() {
  const state: LockState = newLock();
  let sequence = 0;
  const tell = (kind: NonNullable<Event["kind"]>): readonly (number | undefined)[] => {
    const record = { sequence: ++sequence, storedMs: 0, fact: { kind: "event", event: { kind } } } as const;
    return advanceLock(state, record).commands.map((command) =>
      command.kind === "grantLock" ? command.holder.runId[0] : undefined,
    );
  };
  return {
    state,
    request: (number: number, generation?: number) =>
      tell({ $case: "lockRequested", value: { lock, holder: holder(number, generation) } }),
    release: (number: number, generation?: number) =>
      tell({ $case: "lockReleased", value: { lock, holder: holder(number, generation) } }),
    tell,
  };
}

test("a lock goes from one to the next in the order in which they asked", () => {
  const { request, release } = openLock();
  expect([request(1), request(2), request(3)]).toEqual([[1], [], []]);
  expect([release(1), release(2), release(3)]).toEqual([[2], [3], []]);
  expect(request(2)).toEqual([2]);
});

test("a request that is taken back is passed over, and each generation of a step asks for itself", () => {
  const { request, release } = openLock();
  request(1);
  request(2);
  request(3);
  request(3, 1);
  expect(release(2)).toEqual([]);
  expect(release(1)).toEqual([3]);
  expect(release(3)).toEqual([3]);
});

test("doubles change nothing; whoever has it and asks again is told again", () => {
  const { request, release } = openLock();
  request(1);
  request(2);
  expect([request(2), request(1)]).toEqual([[], [1]]);
  expect([release(1), release(1)]).toEqual([[2], []]);
});

test("what is no request and no release is ignored, and nothing is folded twice", () => {
  const { state, request, tell } = openLock();
  request(1);
  expect(tell({ $case: "timerFired", value: { number: 1, dueMs: 0 } })).toEqual([]);
  const again = { sequence: 1, storedMs: 0, fact: { kind: "event", event: { kind: undefined } } } as const;
  expect(advanceLock(state, again)).toMatchObject({ ignored: true, commands: [] });
});
