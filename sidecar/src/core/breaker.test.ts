import { expect, test } from "vitest";
import { admitCall, newBreaker, noteCall, probeLost, signOf } from "./breaker.ts";
import type { Breaker, BreakerBounds, Sign } from "./breaker.ts";
import type { Ending } from "./ending.ts";

const bounds: BreakerBounds = { percent: 50, callsMin: 4, pauseMaxMs: 5_000 };
/** No jitter: the longest pauses. */
const chance = 1;

function note(breaker: Breaker, atMs: number, ...signs: readonly Sign[]): readonly boolean[] {
  return signs.map((sign) => noteCall(breaker, sign, bounds, atMs, chance));
}

function opened(atMs = 0): Breaker {
  const breaker = newBreaker();
  note(breaker, atMs, "failure", "failure", "failure", "failure");
  return breaker;
}

test("it opens when half of the calls of 10 s fail, and not for a few", () => {
  const breaker = newBreaker();
  for (let calls = 0; calls < 9; calls++) expect(note(breaker, 0, "failure", "success")).toEqual([false, false]);
  expect(note(breaker, 9_000, "failure", "none", "success")).toEqual([false, false, false]);
  expect(note(breaker, 9_100, "failure")).toEqual([true]);
  expect(breaker.kind).toBe("open");
});

test("many successes before do not hide that none comes any more", () => {
  const breaker = newBreaker();
  for (let calls = 0; calls < 100; calls++) note(breaker, 0, "success");
  expect(note(breaker, 100, "failure", "failure", "failure", "success", "failure", "failure", "failure")).not.toContain(
    true,
  );
  expect(note(breaker, 200, "failure")).toEqual([true]);
});

test("what is older than 10 s is not counted", () => {
  const breaker = newBreaker();
  note(breaker, 500, "failure", "failure", "failure", "success");
  expect(note(breaker, 10_500, "failure")).toEqual([false]);
  expect(note(breaker, 10_600, "failure", "failure", "failure")).toEqual([false, false, true]);
});

test("while it is open nothing begins; then one call does, and one that is answered closes it", () => {
  const breaker = opened();
  expect(admitCall(breaker, 999, 0)).toMatchObject({ kind: "rest" });
  expect(admitCall(breaker, 1_000, 0)).toEqual({ kind: "probe" });
  expect(admitCall(breaker, 1_001, 0)).toEqual({ kind: "rest", ms: 1_000 });
  expect(note(breaker, 1_100, "success")).toEqual([true]);
  expect(admitCall(breaker, 1_100, 0)).toEqual({ kind: "run" });
  // What failed before counts no more.
  expect(note(breaker, 1_200, "failure")).toEqual([false]);
});

test("probes that fail make the pauses grow up to the longest", () => {
  const breaker = opened();
  const pauses: number[] = [];
  for (let nowMs = 0; pauses.length < 5;) {
    pauses.push(breaker.untilMs - nowMs);
    nowMs = breaker.untilMs;
    admitCall(breaker, nowMs, 0);
    expect(note(breaker, nowMs, "failure")).toEqual([false]);
  }
  expect(pauses).toEqual([1_000, 2_000, 4_000, 5_000, 5_000]);
});

test("pauses and who comes back are spread", () => {
  const breaker = newBreaker();
  for (let calls = 0; calls < 4; calls++) noteCall(breaker, "failure", bounds, 0, 0);
  expect(breaker.untilMs).toBe(500);
  expect([0, 0.5, 1].map((one) => admitCall(breaker, 100, one))).toEqual([
    { kind: "rest", ms: 400 },
    { kind: "rest", ms: 1_000 },
    { kind: "rest", ms: 1_600 },
  ]);
});

test("one that opens again soon goes on with half of its steps; later it begins anew", () => {
  const again = (atMs: number): number => {
    const breaker = opened();
    for (const probeMs of [1_000, 3_000]) {
      admitCall(breaker, probeMs, 0);
      note(breaker, probeMs, "failure");
    }
    admitCall(breaker, 7_000, 0);
    note(breaker, 7_000, "success");
    note(breaker, atMs, "failure", "failure", "failure", "failure");
    return breaker.untilMs - atMs;
  };
  expect([again(8_000), again(20_000)]).toEqual([2_000, 1_000]);
});

test("a probe that made no call lets another one go; calls from before say nothing while it is open", () => {
  const breaker = opened();
  expect(note(breaker, 500, "success", "failure")).toEqual([false, false]);
  admitCall(breaker, 1_000, 0);
  expect(note(breaker, 1_000, "none")).toEqual([false]);
  probeLost(breaker);
  expect(admitCall(breaker, 1_001, 0)).toEqual({ kind: "probe" });
});

test("percent 0 never opens it", () => {
  const breaker = newBreaker();
  for (let calls = 0; calls < 100; calls++)
    expect(noteCall(breaker, "failure", { ...bounds, percent: 0 }, 0, chance)).toBe(false);
});

test.each<[Sign, Partial<Ending>]>([
  ["success", { kind: "answered", response: new Uint8Array() }],
  ["failure", { kind: "failed", code: 14, origin: "service", sent: true }],
  ["failure", { kind: "failed", code: 4, origin: "service", sent: true }],
  ["failure", { kind: "failed", code: 8, origin: "service", sent: true }],
  // The application's own answers.
  ["success", { kind: "failed", code: 5, origin: "service", sent: true }],
  ["success", { kind: "failed", code: 13, origin: "service", sent: true }],
  ["failure", { kind: "failed", code: 14, origin: "transport", sent: true }],
  ["failure", { kind: "failed", code: 4, origin: "transport", sent: true }],
  // Too large an answer; a call that was reset.
  ["none", { kind: "failed", code: 8, origin: "transport", sent: true }],
  ["none", { kind: "failed", code: 1, origin: "transport", sent: true }],
  ["none", { kind: "failed", code: 14, origin: "transport", sent: false }],
])("%s is what is said by %o", (sign, ending) => expect(signOf(ending as Ending)).toBe(sign));
