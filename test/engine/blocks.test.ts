import { createFileRegistry, fromBinary, fromJson, toBinary, toJson } from "@bufbuild/protobuf";
import type { JsonValue } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { buildContract, compileRight } from "../../orchestrator/src/compile/testing.ts";
import type { MadeWorkflow } from "../../orchestrator/src/compile/testing.ts";
import { advance } from "../../orchestrator/src/engine/advance.ts";
import { loadPlan } from "../../orchestrator/src/engine/loadPlan.ts";
import { newRun } from "../../orchestrator/src/engine/state.ts";
import { epochMs } from "../../orchestrator/src/engine/testing/expression.ts";
import { eventAt, makeStarted, testRunId } from "../../orchestrator/src/engine/testing/records.ts";
import { Plan } from "../../proto/gen/sidestep/internal/v1/plan.ts";
import type { RunEnded } from "../../proto/gen/sidestep/internal/v1/event.ts";

// Workflows that call nothing, compiled from real definitions: what blocks yield, as expressions see it.
const contract = buildContract();
const registry = createFileRegistry(contract);

function end(workflow: MadeWorkflow["workflow"], order: JsonValue = {}): RunEnded {
  const plan = loadPlan(Plan.encode(compileRight(contract, { workflow }).plan).finish());
  const type = registry.getMessage("contract.v1.Order");
  if (type === undefined) throw new Error("no contract.v1.Order");
  const state = newRun(testRunId);
  const request = toBinary(type, fromJson(type, order));
  advance(plan, state, eventAt(1, 0, { $case: "runStarted", value: makeStarted({ request }) }));
  if (state.ending === undefined) throw new Error("the run does not end by itself");
  return state.ending.ended;
}

function receipt(ended: RunEnded): JsonValue {
  const type = registry.getMessage("contract.v1.Receipt");
  if (type === undefined) throw new Error("no contract.v1.Receipt");
  return toJson(type, fromBinary(type, ended.response));
}

const nothing = { kind: { $case: "let", value: { type: "int64", value: "0" } } } as const;

function block(result: string): { readonly step: readonly [typeof nothing]; readonly result: string } {
  return { step: [nothing], result };
}

test("parallel yields the list of its branches' values in their order, zeros included", () => {
  const ended = end(
    {
      step: [
        {
          id: "every",
          kind: { $case: "parallel", value: { branch: [block("input.priority"), block("0"), block("7")] } },
        },
      ],
      output:
        '{reservation_id: string(every[0]) + "/" + string(every[1]) + "/" + string(every[2]) + "/" + string(size(every))}',
    },
    { priority: 3 },
  );
  expect(receipt(ended)).toEqual({ reservationId: "3/0/7/3" });
});

test("parallel yields texts and messages, empty ones included", () => {
  const ended = end(
    {
      step: [
        { id: "texts", kind: { $case: "parallel", value: { branch: [block('""'), block("input.id")] } } },
        {
          id: "lines",
          kind: { $case: "parallel", value: { branch: [block("input.lines[0]"), block("contract.v1.Line{}")] } },
        },
      ],
      output: "{reservation_id: texts[1] + string(size(texts[0])) + lines[0].sku + string(size(lines[1].sku))}",
    },
    { id: "o-1", lines: [{ sku: "tea" }] },
  );
  expect(receipt(ended)).toEqual({ reservationId: "o-10tea0" });
});

test("switch yields the value of the arm that ran", () => {
  const workflow: MadeWorkflow["workflow"] = {
    step: [
      {
        id: "kind",
        kind: {
          $case: "switch",
          value: { case: [{ when: "input.express", ...block('"fast"') }], default: block('"slow"') },
        },
      },
    ],
    output: "{reservation_id: kind}",
  };
  expect(receipt(end(workflow, { express: true }))).toEqual({ reservationId: "fast" });
  expect(receipt(end(workflow))).toEqual({ reservationId: "slow" });
});

test("an expression that fails by value fails its step, at its place, and is not tried again", () => {
  const ended = end({
    step: [{ id: "first", kind: { $case: "let", value: { type: "string", value: "input.lines[0].sku" } } }],
    output: "{reservation_id: first}",
  });
  expect(ended).toMatchObject({ state: 5, step: "first", status: { code: 13 } });
  expect(ended.status?.message).toMatch(/^step\[0\]\.let.*: /);
});

test("run, now and steps tell what the log told", () => {
  const ended = end({
    step: [{ id: "note", kind: { $case: "let", value: { type: "string", value: '"x"' } } }],
    output:
      '{reservation_id: run.id + " " + string(now == run.started_at) + " " + string(has(steps.note)) + " " + string(int(now))}',
  });
  expect(receipt(ended)).toEqual({ reservationId: `${testRunId} true true ${epochMs / 1_000}` });
});
