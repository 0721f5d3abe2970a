import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { Plan, Plan_Order } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Call } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import { Saga_Order, Status_Code } from "../../../proto/gen/sidestep/v1/workflow.ts";
import { loadPlan } from "../engine/loadPlan.ts";
import { compileImage } from "./compileImage.ts";
import { buildContract, buildModules, compileRight, output, pause, reserve } from "./testing.ts";
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

describe("the order saga", () => {
  const { workflows, services } = compileImage(buildModules(["examples/order/proto"]));
  const plan = workflows[0]?.plan ?? Plan.create();

  it("becomes one plan, beside the services it calls", () => {
    expect(workflows.map((one) => one.workflow)).toEqual(["shop.v1.OrderWorkflow/Fulfil"]);
    expect(services).toContain("payment.v1.PaymentService");
    expect(plan).toMatchObject({
      workflow: "shop.v1.OrderWorkflow/Fulfil",
      requestType: "shop.v1.FulfilRequest",
      responseType: "shop.v1.FulfilResponse",
      timeoutMs: 7 * 86_400_000,
      saga: Plan_Order.REVERSE,
      outputStep: undefined,
    });
    expect(plan.methods).toEqual([
      "inventory.v1.InventoryService/Release",
      "inventory.v1.InventoryService/Reserve",
      "payment.v1.PaymentService/Charge",
      "payment.v1.PaymentService/FindCharge",
      "payment.v1.PaymentService/Refund",
      "shipping.v1.ShippingService/Cancel",
      "shipping.v1.ShippingService/Label",
      "shipping.v1.ShippingService/Ship",
    ]);
  });

  it("can be loaded by the engine from its bytes", () => {
    const loaded = loadPlan(Plan.encode(plan).finish());
    expect(loaded.steps.length).toBe(plan.stepCount);
    expect(loaded.steps.every((step) => step !== undefined)).toBe(true);
    expect(loaded.steps.map((step) => step.name)).toEqual([
      "reserve",
      "step[1]",
      "charge",
      "step[3]",
      "review",
      "step[3].step[1]",
      "step[3].catch[0].step[0]",
      "labels",
      "label",
      "ship",
    ]);
    expect(loaded.key?.place).toBe("key");
  });
});

describe("a plan", () => {
  it("numbers all steps in document order and names them by id or place", () => {
    const plan = planOf({
      step: [
        pause,
        {
          kind: {
            $case: "switch",
            value: {
              case: [{ when: "input.express", step: [pause, { ...pause, id: "named" }] }],
              default: {
                step: [{ kind: { $case: "parallel", value: { branch: [{ step: [pause] }, { step: [pause] }] } } }],
              },
            },
          },
        },
        reserve,
      ],
      output,
    });
    expect(loadPlan(Plan.encode(plan).finish()).steps.map(({ index, name }) => [index, name])).toEqual([
      [0, "step[0]"],
      [1, "step[1]"],
      [2, "step[1].case[0].step[0]"],
      [3, "named"],
      [4, "step[1].default.step[0]"],
      [5, "step[1].default.step[0].branch[0].step[0]"],
      [6, "step[1].default.step[0].branch[1].step[0]"],
      [7, "reserve"],
    ]);
    expect(plan.stepCount).toBe(8);
  });

  it("says which result each step has", () => {
    const choice = { case: [{ when: "input.express", result: "1" }], default: { result: "input.priority" } };
    const branches = {
      branch: [
        { step: [pause], result: '"a"' },
        { step: [pause], result: "input.note" },
      ],
    };
    const plan = planOf({
      step: [
        reserve,
        { id: "text", kind: { $case: "let", value: { value: "input.note" } } },
        { id: "line", kind: { $case: "let", value: { type: "contract.v1.Line", value: "{sku: text}" } } },
        { id: "names", kind: { $case: "let", value: { value: "input.lines.map(l, l.sku)" } } },
        { id: "chosen", kind: { $case: "switch", value: choice } },
        { id: "both", kind: { $case: "parallel", value: branches } },
        { id: "slept", ...pause },
        {
          id: "every",
          kind: { $case: "let", value: { type: "map(string, int64)", value: "{both[0]: chosen, names[0]: 2}" } },
        },
      ],
      output,
    });
    expect(plan.body?.steps.map(({ id, result }) => [id, result?.name])).toEqual([
      ["reserve", "contract.v1.ReserveResponse"],
      ["text", "string"],
      ["line", "contract.v1.Line"],
      ["names", "list(string)"],
      ["chosen", "int64"],
      ["both", "list(string)"],
      ["slept", undefined],
      ["every", "map(string, int64)"],
    ]);
  });

  it("takes the response from the last step when that has its type", () => {
    const receipt = {
      id: "receipt",
      kind: { $case: "let", value: { type: "contract.v1.Receipt", value: '{note: "done"}' } },
    } as const;
    expect(planOf({ step: [pause, receipt] })).toMatchObject({ output: undefined, outputStep: 1 });
    expect(planOf({ step: [pause] }, { output: "contract.v1.Nothing" })).toMatchObject({
      output: undefined,
      outputStep: undefined,
    });
    expect(planOf({ step: [{ kind: { $case: "return", value: "{}" } }] })).toMatchObject({
      output: undefined,
      outputStep: undefined,
    });
  });

  it("marks methods that may be called again at any time", () => {
    const release = { kind: { $case: "call", value: { method: "contract.v1.Stock/Release" } } } as const;
    const plan = planOf({ step: [reserve, release], output });
    expect([0, 1].map((index) => callAt(plan, index).idempotent)).toEqual([false, true]);
  });

  it("keeps key, attributes, caller's headers, order and timeout", () => {
    const plan = planOf({
      key: "input.id + metadata['x-tenant']",
      metadata: ["x-tenant"],
      attribute: [
        { name: "priority", value: "input.priority" },
        { name: "due", value: "input.due" },
        { name: "began", value: "run.started_at" },
      ],
      saga: Saga_Order.PARALLEL,
      timeout: "1d12h",
      retention: "30d",
      step: [pause],
      output: "{note: run.id}",
    });
    expect(plan).toMatchObject({
      metadata: ["x-tenant"],
      attributes: [{ name: "priority" }, { name: "due" }, { name: "began" }],
      saga: Plan_Order.PARALLEL,
      timeoutMs: 36 * 3_600_000,
      keptMs: 30 * 86_400_000,
      key: { source: "input.id + metadata['x-tenant']", path: "key" },
    });
    expect(planOf({ step: [pause], output: "{}" }).timeoutMs).toBeUndefined();
  });

  it("keeps headers, failures with details, and compensations", () => {
    const plan = planOf({
      step: [
        {
          ...reserve,
          kind: {
            $case: "call",
            value: { ...reserve.kind.value, header: [{ key: "x-order", kind: { $case: "value", value: "input.id" } }] },
          },
          compensate: {
            when: "has(steps.reserve)",
            kind: {
              $case: "call",
              value: {
                method: "contract.v1.Stock/Release",
                request: 'has(steps.reserve) ? {reservation_id: reserve.reservation_id} : {reservation_id: ""}',
              },
            },
          },
        },
        {
          when: "size(reserve.short) > 0",
          kind: {
            $case: "fail",
            value: {
              code: Status_Code.FAILED_PRECONDITION,
              message: '"short of " + reserve.short[0].sku',
              detail: [{ type: "contract.v1.Line", value: "reserve.short[0]" }],
            },
          },
        },
      ],
      output,
    });
    expect(callAt(plan, 0).headers.map(({ key, value }) => [key, value?.source])).toEqual([["x-order", "input.id"]]);
    expect(plan.body?.steps[0]?.compensate?.call?.method).toBe("contract.v1.Stock/Release");
    expect(plan.body?.steps[1]?.kind).toMatchObject({
      $case: "fail",
      value: { code: 9, details: [{ type: "contract.v1.Line" }] },
    });
    expect(plan.methods).toEqual(["contract.v1.Stock/Release", "contract.v1.Stock/Reserve"]);
  });

  it("comes out the same each time", () => {
    const once = Plan.encode(planOf({ step: [reserve], output })).finish();
    expect(Plan.encode(planOf({ step: [reserve], output })).finish()).toEqual(once);
  });
});

describe("the plan's descriptors", () => {
  it("hold what expressions and results need, and nothing else", () => {
    const plan = planOf({ step: [reserve], output });
    const set = fromBinary(FileDescriptorSetSchema, plan.descriptors);
    const registry = createFileRegistry(set);
    const names = [...registry].map((type) => type.typeName).toSorted();
    expect(names).toEqual([
      "contract.v1.Channel",
      "contract.v1.Line",
      "contract.v1.Order",
      "contract.v1.Receipt",
      "contract.v1.ReserveRequest",
      "contract.v1.ReserveResponse",
      "google.protobuf.Timestamp",
    ]);
    expect(set.file.map((file) => file.service.length)).toEqual([0, 0]);
    expect(set.file.every((file) => file.sourceCodeInfo === undefined && file.options === undefined)).toBe(true);
  });

  it("hold the records of run and steps where an expression reads them", () => {
    const plan = planOf({
      step: [{ ...reserve, when: "run.id != ''" }],
      output: "{note: string(steps.reserve.attempts)}",
    });
    const names = [...createFileRegistry(fromBinary(FileDescriptorSetSchema, plan.descriptors))].map(
      (type) => type.typeName,
    );
    expect(names).toContain("sidestep.v1.RunRecord");
    expect(names).toContain("sidestep.v1.StepRecord");
    expect(names).not.toContain("sidestep.v1.Workflow");
  });
});
