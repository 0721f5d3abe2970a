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

test("a step that has not begun is none", () => {
  const plan = makePlan({ steps: [{ id: "s", action: { kind: "wait", forMs: 10 } }] });
  expect(detailsOfStep(testRunId, plan, [started], { step: "t", isCompensation: false })).toBeUndefined();
});
