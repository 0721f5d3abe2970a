import { expect, test } from "vitest";
import { mayCallMore, Slots } from "./slots.ts";

/** How many each of so many greedy callers gets, that ask in turn. */
function shares(slots: number, callers: number): readonly number[] {
  const has = Array.from({ length: callers }, () => 0);
  for (let isAny = true; isAny;) {
    isAny = false;
    for (let caller = 0; caller < callers; caller++) {
      const own = has[caller] ?? 0;
      const all = has.reduce((sum, one) => sum + one, 0);
      if (!mayCallMore(own, all, slots)) continue;
      has[caller] = own + 1;
      isAny = true;
    }
  }
  return has;
}

test.each<readonly [number, readonly number[]]>([
  [1, [1]],
  [2, [1]],
  [64, [32]],
  [64, [21, 21]],
  [64, [16, 16, 16]],
  [4, [1, 1]],
  [2, [1, 0]],
])("of %i slots greedy callers get %j", (slots, expected) => {
  expect(shares(slots, expected.length)).toEqual(expected);
});

test("one that comes when the others have all they get finds some, and tasks keep one", () => {
  for (let slots = 2; slots <= 100; slots++)
    for (let callers = 1; callers <= 10; callers++) {
      const all = shares(slots, callers).reduce((sum, one) => sum + one, 0);
      expect(all).toBeLessThan(slots);
      expect(mayCallMore(0, all, slots) || slots <= 2 * callers + 1).toBe(true);
    }
});

test("slots are bounded, and what waits takes them in turns", () => {
  const slots = new Slots(2);
  const took: string[] = [];
  const rooms: number[] = [];
  const waiting = { task: 2, call: 2 };
  for (const kind of ["task", "call"] as const)
    slots.addTaker(() => {
      if (waiting[kind] === 0 || !slots.take()) return false;
      waiting[kind]--;
      took.push(kind);
      return true;
    });
  slots.onRoom(() => rooms.push(slots.free()));
  expect([slots.take(), slots.take(), slots.take()]).toEqual([true, true, false]);
  for (let left = 0; left < 4; left++) slots.leave();
  expect(took.toSorted()).toEqual(["call", "call", "task", "task"]);
  expect(took[0]).not.toBe(took[1]);
  expect(slots.taken()).toBe(2);
  slots.leave();
  expect(rooms).toEqual([0, 0, 0, 0, 1]);
});
