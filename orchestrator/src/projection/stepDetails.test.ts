import { expect, test } from "vitest";
import { StepAttempt_Result as Result } from "../../../proto/gen/sidestep/v1/step_details.ts";
import type { LogRecord } from "../engine/record.ts";
import { makePlan } from "../engine/testing/plan.ts";
import { eventAt, makeFailure, makeStarted, outcomeAt, testRunId } from "../engine/testing/records.ts";
import { detailsOfStep } from "./stepDetails.ts";

const started: LogRecord = eventAt(1, 0, { $case: "runStarted", value: makeStarted() });
const attempt = (step: string, number: number) => ({ step, generation: 0, phase: 0, attempt: number }) as const;

test("of a call its attempts are told, each with what it sent and how it ended", () => {
  const plan = makePlan({ steps: [{ id: "s", action: { kind: "call", method: "pay.Pay/Charge", attempts: 3 } }] });
  const failed = outcomeAt(2, 10, attempt("s", 1), { $case: "failed", value: makeFailure("UNAVAILABLE", "busy") });
  const details = detailsOfStep(testRunId, plan, [started, failed], { step: "s", isCompensation: false });
  expect(details?.attempts).toMatchObject([
    { attempt: 1, method: "pay.Pay/Charge", result: Result.FAILED, status: { code: 14, message: "busy" } },
  ]);
});

test("an attempt without an outcome is under way", () => {
  const plan = makePlan({ steps: [{ id: "s", action: { kind: "call", method: "pay.Pay/Charge" } }] });
  const details = detailsOfStep(testRunId, plan, [started], { step: "s", isCompensation: false });
  expect(details?.attempts).toMatchObject([{ attempt: 1, result: Result.UNDER_WAY, endedAt: undefined }]);
});

test("of a switch the conditions are told that were asked, up to the one that held", () => {
  const block = { steps: [{ id: "x", action: { kind: "wait", forMs: 1 } as const }] };
  const plan = makePlan({
    steps: [
      {
        id: "s",
        action: {
          kind: "switch",
          cases: ["false", "true", "false"].map((when) => ({ when, block })),
        },
      },
    ],
  });
  const details = detailsOfStep(testRunId, plan, [started], { step: "s", isCompensation: false });
  expect(details?.expressions).toMatchObject([
    { name: "case", text: "false", json: "false" },
    { name: "case", text: "true", json: "true" },
  ]);
});

test("of a step that is skipped the condition is told, and no more", () => {
  const plan = makePlan({ steps: [{ id: "s", when: "false", action: { kind: "let", value: "input" } }] });
  const details = detailsOfStep(testRunId, plan, [started], { step: "s", isCompensation: false });
  expect(details?.expressions).toMatchObject([{ name: "when", json: "false" }]);
});

test("an expression that fails says why", () => {
  const plan = makePlan({ steps: [{ id: "s", action: { kind: "let", value: "oops(no such key)" } }] });
  const details = detailsOfStep(testRunId, plan, [started], { step: "s", isCompensation: false });
  expect(details?.expressions).toMatchObject([{ name: "value", json: "", error: "no such key" }]);
});

test("of a loop it is told what it carries and what its tests gave after the last whole pass", () => {
  const body = { steps: [{ id: "page", action: { kind: "call", method: "x.X/Page" } as const }] };
  const carries = [{ name: "cursor", init: "'p0'", next: "page" }];
  const plan = makePlan({
    steps: [{ id: "s", action: { kind: "loop", until: "page=='end'", max: 3, carries, body } }],
  });
  const page = (number: number, text: string): LogRecord =>
    outcomeAt(number + 2, number, attempt(`s[${number}]/page`, 1), { $case: "completed", value: Buffer.from(text) });
  // The tests' kind of value has no JSON.
  const told = (...pages: readonly string[]) =>
    detailsOfStep(testRunId, plan, [started, ...pages.map((text, at) => page(at, text))], {
      step: "s",
      isCompensation: false,
    })?.expressions.map(({ name, json }) => (name === "until" ? `until ${json}` : name));
  const [init, next] = ["carry cursor init", "carry cursor next"];
  expect(told()).toEqual([init]);
  expect(told("p1")).toEqual([init, "until false", next]);
  expect(told("p1", "end")).toEqual([init, "until true", next]);
  // Three are the most.
  expect(told("p1", "p2", "p3")).toEqual([init, "until false", next]);
});

test("of a loop that fails within a pass it is told what the pass before came to", () => {
  const call = { kind: "call", method: "x.X/Page", attempts: 1 } as const;
  const plan = makePlan({
    steps: [
      {
        id: "s",
        action: { kind: "loop", while: "true", until: "false", max: 3, body: { steps: [{ id: "p", action: call }] } },
      },
    ],
  });
  const done = outcomeAt(2, 1, attempt("s[0]/p", 1), { $case: "completed", value: Buffer.from("x") });
  const failed = outcomeAt(3, 2, attempt("s[1]/p", 1), { $case: "failed", value: makeFailure("ABORTED", "no") });
  const told = (...records: readonly LogRecord[]) =>
    detailsOfStep(testRunId, plan, [started, ...records], { step: "s", isCompensation: false })?.expressions;
  expect(told()).toMatchObject([{ name: "while", json: "true" }]);
  expect(told(done)).toMatchObject([
    { name: "while", json: "true" },
    { name: "until", json: "false" },
  ]);
  expect(told(done, failed)).toMatchObject([
    { name: "while", json: "true" },
    { name: "until", json: "false" },
  ]);
});

test("a step that has not begun is none", () => {
  const plan = makePlan({ steps: [{ id: "s", action: { kind: "wait", forMs: 10 } }] });
  expect(detailsOfStep(testRunId, plan, [started], { step: "t", isCompensation: false })).toBeUndefined();
});
