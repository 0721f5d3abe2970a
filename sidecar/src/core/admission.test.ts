import { expect, test } from "vitest";
import { ageOf, clockError, observeClock, reasonToAsk, unknownOffset } from "./admission.ts";
import type { AdmissionFacts } from "./admission.ts";
import { parseAckSubject } from "./delivery.ts";

const young: AdmissionFacts = {
  recheck: false,
  delivery: 1,
  storedAtMs: 10_500,
  issuedAtMs: 10_000,
  nowMs: 10_600,
  heldMs: 0,
  age: "unknown",
  isUnsure: false,
  connectedAtMs: 5_000,
};

test.each<[string | undefined, Partial<AdmissionFacts>]>([
  [undefined, {}],
  [undefined, { storedAtMs: 11_000, heldMs: 1_000 }],
  ["stale", { storedAtMs: 11_001 }],
  // It has waited in the queue, behind others or for a service that was away.
  ["stale", { nowMs: 11_001 }],
  ["stale", { nowMs: 11_001, age: "fresh" }],
  ["held", { heldMs: 1_001 }],
  ["recheck", { recheck: true }],
  ["redelivered", { delivery: 2 }],
  // A server that lost its state may count from nothing.
  ["redelivered", { delivery: 0 }],
  ["beforeConnection", { connectedAtMs: 10_501 }],
  // Old as well, yet what counts is that somebody may have begun it.
  ["beforeConnection", { connectedAtMs: 10_501, nowMs: 13_000, heldMs: 1_500 }],
  [undefined, { connectedAtMs: 10_501, age: "fresh" }],
  ["redelivered", { delivery: 2, age: "fresh" }],
  // A leader that came back with an older state counts its deliveries anew.
  ["redelivered", { age: "again" }],
])("%s: asked about with %o", (reason, facts) => expect(reasonToAsk({ ...young, ...facts })).toBe(reason));

test.each([
  [7, 1, undefined, "unknown"],
  [7, 1, 6, "fresh"],
  [7, 2, 6, "again"],
  [6, 1, 6, "again"],
] as const)("sequence %i, delivery %i after an empty consumer at %s is %s", (sequence, delivery, empty, age) =>
  expect(ageOf(sequence, delivery, empty)).toBe(age),
);

test("a clock of ours that runs behind is made up for by what arrives; one that runs ahead only makes us ask", () => {
  // Ours is 5 s behind: a message stored at 15,000 arrives at 10,002.
  expect(observeClock(unknownOffset, 15_000, 10_002)).toEqual({ aheadMs: 4_998 });
  expect(observeClock({ aheadMs: 4_998 }, 15_000, 10_900)).toEqual({ aheadMs: 4_998 });
  expect(observeClock(unknownOffset, 5_000, 10_000)).toBe(unknownOffset);
});

test("a clock that is off by more than 1 s is told, when a message proves it", () => {
  expect(clockError("unknown", 12_000, 10_000)).toBe(-2_000);
  expect(clockError("fresh", 10_000, 12_000)).toBe(2_000);
  // It may have waited in the queue.
  expect(clockError("unknown", 10_000, 12_000)).toBeUndefined();
  expect(clockError("fresh", 10_000, 10_900)).toBeUndefined();
});

test.each([
  ["$JS.ACK.TASKS.a-B.2.7.9.1795251069700344375.4", { delivery: 2, streamSequence: 7 }],
  ["$JS.ACK.domain.hash.TASKS.a-B.3.8.9.1795251069700344375.4.token", { delivery: 3, streamSequence: 8 }],
])("%s is understood", (subject, expected) => {
  const facts = parseAckSubject(subject);
  expect(facts).toMatchObject(expected);
  expect(Math.floor(facts?.storedAtMs ?? 0)).toBe(1_795_251_069_700);
});

test.each(["", "$JS.ACK.TASKS.a-B.x.7.9.1.4", "$JS.ACK.TASKS.a-B.1", "_INBOX.a.b.c.d.e.f.g.h"])(
  "%j is no acknowledgement subject",
  (subject) => expect(parseAckSubject(subject)).toBeUndefined(),
);
