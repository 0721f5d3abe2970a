import { assert, integer, property, string } from "fast-check";
import { describe, expect, test } from "vitest";
import { Failure_Origin as Origin } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { CodeName } from "../../../proto/wire/status.ts";
import type { CallPlan } from "./plan.ts";
import { backoffMs, fractionOf, judge } from "./retry.ts";
import type { FailedTry, Judgement } from "./retry.ts";
import { makePlan } from "./testing/plan.ts";
import type { CallSketch } from "./testing/sketch.ts";
import { makeFailure } from "./testing/records.ts";

function call(sketch: Partial<CallSketch>): CallPlan {
  const [step] = makePlan({ steps: [{ id: "a", action: { kind: "call", method: "x.X/A", ...sketch } }] }).steps;
  if (step?.action.kind !== "call") throw new Error("a call is expected");
  return step.action.call;
}

const policies = {
  retry: call({}),
  pause: call({ doubt: "PAUSE" }),
  fail: call({ doubt: "FAIL" }),
  idempotent: call({ doubt: "PAUSE", isIdempotent: true }),
} as const;

interface Case {
  readonly sent?: boolean;
  readonly redelivered?: boolean;
  readonly transport?: boolean;
}

function judged(
  plan: CallPlan,
  name: CodeName,
  { sent = true, redelivered = false, transport = false }: Case = {},
): string {
  const origin = transport ? Origin.TRANSPORT : Origin.SERVICE;
  const tried: FailedTry = { failure: makeFailure(name, "", { origin }), sent, redelivered };
  return show(judge(plan, tried));
}

function show({ next, maybeExecuted }: Judgement): string {
  return maybeExecuted ? `${next}, maybe executed` : next;
}

describe("the retry table", () => {
  const unknown: readonly CodeName[] = ["UNAVAILABLE", "DEADLINE_EXCEEDED", "UNKNOWN", "INTERNAL", "CANCELLED"];
  const answers: readonly CodeName[] = [
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "FAILED_PRECONDITION",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "UNAUTHENTICATED",
    "DATA_LOSS",
  ];

  test.each(unknown)(
    "%s after sending leaves doubt: on_doubt decides, and idempotent methods are tried again",
    (name) => {
      expect(judged(policies.retry, name)).toBe("again, maybe executed");
      expect(judged(policies.pause, name)).toBe("doubt, maybe executed");
      expect(judged(policies.fail, name)).toBe("doubt, maybe executed");
      expect(judged(policies.idempotent, name)).toBe("again, maybe executed");
    },
  );

  test.each(unknown)("%s without a byte sent is tried again and leaves no doubt", (name) => {
    for (const plan of Object.values(policies)) expect(judged(plan, name, { sent: false })).toBe("again");
  });

  test.each(["ABORTED", "RESOURCE_EXHAUSTED"] as const)(
    "%s of the service was not carried out: again, no doubt",
    (name) => {
      for (const plan of Object.values(policies)) expect(judged(plan, name)).toBe("again");
    },
  );

  test.each(answers)("%s is the application's own answer: never again, no doubt", (name) => {
    for (const plan of Object.values(policies)) {
      expect(judged(plan, name)).toBe("answer");
      expect(judged(plan, name, { sent: false })).toBe("answer");
    }
  });

  test("an answer too large for our own client was carried out, and is never tried again", () => {
    for (const plan of Object.values(policies)) {
      expect(judged(plan, "RESOURCE_EXHAUSTED", { transport: true })).toBe("answer, maybe executed");
    }
  });

  test.each([...unknown, ...answers, "ABORTED", "RESOURCE_EXHAUSTED"] as const)(
    "%s of a redelivered task leaves the call maybe executed",
    (name) => {
      expect(judged(policies.retry, name, { redelivered: true })).toContain("maybe executed");
      expect(judged(policies.idempotent, name, { redelivered: true, sent: false })).toContain("maybe executed");
    },
  );
});

test("Retry.on says what is tried again; an unknown outcome goes to on_doubt first", () => {
  const on = call({ on: ["NOT_FOUND", "UNAVAILABLE"] });
  expect(judged(on, "NOT_FOUND")).toBe("again");
  expect(judged(on, "UNAVAILABLE")).toBe("again, maybe executed");
  expect(judged(on, "ABORTED")).toBe("answer");
  expect(judged(on, "INTERNAL")).toBe("answer, maybe executed");
  expect(judged(on, "INTERNAL", { sent: false })).toBe("again");
  expect(judged(call({ on: ["ABORTED"], doubt: "PAUSE" }), "INTERNAL")).toBe("doubt, maybe executed");
});

test("a negative pause asks not to try again", () => {
  const failure = makeFailure("UNAVAILABLE", "", { retryAfterMs: -1 });
  expect(show(judge(policies.retry, { failure, sent: true, redelivered: false }))).toBe("answer, maybe executed");
});

describe("the backoff", () => {
  const { retry } = call({ backoffMs: 100, backoffMaxMs: 1_000 });

  test("stays below its doubled ceiling and its cap, in whole milliseconds", () => {
    assert(
      property(string(), integer({ min: 1, max: 60 }), (name, tries) => {
        const delay = backoffMs(retry, tries, name, undefined);
        expect(delay).toBeGreaterThanOrEqual(0);
        expect(delay).toBeLessThan(Math.min(100 * 2 ** (tries - 1), 1_000));
        expect(Number.isInteger(delay)).toBe(true);
        expect(backoffMs(retry, tries, name, undefined)).toBe(delay);
      }),
    );
  });

  test("is spread evenly over attempts and runs", () => {
    const buckets = Array.from({ length: 10 }, () => 0);
    for (let i = 0; i < 10_000; i++) {
      const bucket = Math.floor(fractionOf(`run-${i % 100}/step-${Math.floor(i / 100)}/0/0/1`) * 10);
      buckets[bucket] = (buckets[bucket] ?? 0) + 1;
    }
    for (const count of buckets) expect(count).toBeGreaterThan(850);
  });

  test("gives way to what the service asks for, up to a day", () => {
    expect(backoffMs(retry, 1, "x", 7_000)).toBe(7_000);
    expect(backoffMs(retry, 1, "x", 0)).toBe(0);
    expect(backoffMs(retry, 1, "x", 1e12)).toBe(24 * 3_600_000);
  });
});
