import { expect, test } from "vitest";
import type { DeliveryAge } from "./admission.ts";
import { GivenBack } from "./givenBack.ts";

const given = (delivery: number, more: { streamSequence?: number; storedAtMs?: number } = {}) => ({
  streamSequence: 7,
  storedAtMs: 1_000,
  delivery,
  ...more,
});

/** What was given back at 0 as the delivery of that number. */
function after(delivery: number, more: { age?: DeliveryAge; isFirst?: boolean } = {}): GivenBack {
  const givenBack = new GivenBack();
  givenBack.note({ ...given(delivery), age: "fresh", isFirst: true, ...more }, 0);
  return givenBack;
}

test("a task that comes again here, and was nowhere else, is as new as it was", () => {
  expect(after(1).ageOf(given(2), 1_000)).toBe("fresh");
  expect(after(1, { age: "unknown" }).ageOf(given(2), 1_000)).toBe("unknown");
  const twice = after(1);
  twice.note({ ...given(2), age: "fresh", isFirst: true }, 1_000);
  expect(twice.ageOf(given(3), 7_000)).toBe("fresh");
});

test("nothing is known of a task that may have been elsewhere", () => {
  // Another sidecar had the second delivery.
  expect(after(1).ageOf(given(3), 1_000)).toBeUndefined();
  // It could have had, and lost it.
  expect(after(1).ageOf(given(2), 6_001)).toBeUndefined();
  expect(after(2, { isFirst: false }).ageOf(given(3), 1_000)).toBeUndefined();
  expect(after(1).ageOf(given(2, { streamSequence: 8 }), 1_000)).toBeUndefined();
  // A stream that was made anew.
  expect(after(1).ageOf(given(2, { storedAtMs: 2_000 }), 1_000)).toBeUndefined();
  const cleared = after(1);
  cleared.clear();
  expect(cleared.ageOf(given(2), 1_000)).toBeUndefined();
});

test("a count that has gone back was forgotten: the task was delivered before", () => {
  expect(after(1).ageOf(given(1), 1_000)).toBe("again");
  expect(after(3).ageOf(given(2), 1_000)).toBe("again");
});

test("what is given back without an end is forgotten, not kept", () => {
  const givenBack = new GivenBack();
  for (let streamSequence = 1; streamSequence <= 4_097; streamSequence++)
    givenBack.note({ ...given(1, { streamSequence }), age: "fresh", isFirst: true }, 0);
  expect(givenBack.ageOf(given(2, { streamSequence: 1 }), 0)).toBeUndefined();
  expect(givenBack.ageOf(given(2, { streamSequence: 4_097 }), 0)).toBe("fresh");
});
