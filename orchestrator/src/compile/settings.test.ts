import { describe, expect, it } from "vitest";
import { Call_OnDoubt, Call_OnExhausted } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Call, Plan } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import { OnDoubt_Policy, OnExhausted_Policy } from "../../../proto/gen/sidestep/v1/workflow.ts";
import { buildContract, compileRight, output, reserve } from "./testing.ts";
import type { MadeWorkflow } from "./testing.ts";

const contract = buildContract();

function planOf(workflow: MadeWorkflow["workflow"], rest: Omit<MadeWorkflow, "workflow"> = {}): Plan {
  return compileRight(contract, { workflow, ...rest }).plan;
}

/** The call that step `index` is. */
function callAt(plan: Plan, index: number): Call {
  const kind = plan.body?.steps[index]?.kind;
  if (kind?.$case !== "call") throw new Error(`step ${index} is no call`);
  return kind.value;
}

describe("settings", () => {
  const built = {
    timeoutMs: 30_000,
    queueNoticeMs: 300_000,
    onDoubt: Call_OnDoubt.RETRY,
    onExhausted: Call_OnExhausted.ON_EXHAUSTED_PAUSE,
    retry: { attemptsMax: 8, backoffMs: 500, backoffMaxMs: 60_000, multiplier: 2, on: [] as readonly number[] },
  };
  const service = {
    timeout: "5s",
    retry: { maxAttempts: 4, backoff: "200ms", on: [14, 4] as const },
    onDoubt: OnDoubt_Policy.PAUSE,
  };
  const workflow = {
    queueNotice: "1m",
    retry: { maxAttempts: 5, multiplier: 3 },
    onExhausted: OnExhausted_Policy.FAIL,
  };
  const call = {
    timeout: "2s",
    stepTimeout: "1m",
    retry: { maxBackoff: "2m", on: [10] as const },
    onDoubt: OnDoubt_Policy.RETRY,
  };
  const ofService = {
    ...built,
    timeoutMs: 5000,
    onDoubt: Call_OnDoubt.PAUSE,
    retry: { ...built.retry, attemptsMax: 4, backoffMs: 200, on: [4, 14] },
  };
  const ofWorkflow = {
    ...ofService,
    queueNoticeMs: 60_000,
    onExhausted: Call_OnExhausted.ON_EXHAUSTED_FAIL,
    retry: { ...ofService.retry, attemptsMax: 5, multiplier: 3 },
  };

  it.each([
    ["built-in ones where nothing is said", undefined, undefined, {}, built],
    ["the service's over the built-in ones", service, undefined, {}, ofService],
    ["the workflow's over the service's, field by field", service, workflow, {}, ofWorkflow],
    [
      "the step's over the workflow's, field by field",
      service,
      workflow,
      call,
      {
        ...ofWorkflow,
        timeoutMs: 2000,
        stepTimeoutMs: 60_000,
        onDoubt: Call_OnDoubt.RETRY,
        retry: { ...ofWorkflow.retry, backoffMaxMs: 120_000, on: [10] },
      },
    ],
    [
      "the step's over the built-in ones",
      undefined,
      undefined,
      { retry: { maxAttempts: 1 } },
      { ...built, retry: { ...built.retry, attemptsMax: 1 } },
    ],
  ])("are %s", (_story, defaults, ofTheWorkflow, ofTheStep, wanted) => {
    const made = planOf(
      {
        ...(ofTheWorkflow === undefined ? {} : { defaults: ofTheWorkflow }),
        step: [{ ...reserve, kind: { $case: "call", value: { ...reserve.kind.value, ...ofTheStep } } }],
        output,
      },
      defaults === undefined ? {} : { defaults },
    );
    expect(callAt(made, 0)).toMatchObject(wanted);
  });
});
