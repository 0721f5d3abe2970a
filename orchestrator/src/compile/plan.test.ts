import { createFileRegistry, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { Call_OnDoubt, Call_OnExhausted, Plan, Plan_Order } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Block, Call, Step } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import {
  OnDoubt_Policy,
  OnExhausted_Policy,
  Saga_Order,
  Status_Code,
} from "../../../proto/gen/sidestep/v1/workflow.ts";
import { loadPlan } from "../engine/plan.ts";
import { compileImage } from "./compileImage.ts";
import { buildContract, buildModules, compileMade, compileRight, extension, makeSet } from "./testing.ts";
import type { MadeWorkflow } from "./testing.ts";

const contract = buildContract();
const reserve = {
  id: "reserve",
  kind: { $case: "call", value: { method: "contract.v1.Stock/Reserve", request: "{order_id: input.id}" } },
} as const;
const pause = { kind: { $case: "wait", value: { kind: { $case: "for", value: "1s" } } } } as const;
const output = "{reservation_id: reserve.reservation_id}";

function planOf(workflow: MadeWorkflow["workflow"], rest: Omit<MadeWorkflow, "workflow"> = {}): Plan {
  return compileRight(contract, { workflow, ...rest }).plan;
}

function stepAt(block: Block | undefined, index: number): Step {
  const step = block?.steps[index];
  if (step === undefined) throw new Error(`no step ${index}`);
  return step;
}

function callOf(step: Step): Call {
  if (step.kind?.$case !== "call") throw new Error(`${step.name} is no call`);
  return step.kind.value;
}

/** Messages of the diagnostics, with their paths. */
function wrongs(workflow: MadeWorkflow["workflow"]): readonly string[] {
  return compileMade(contract, [{ workflow }]).diagnostics.map(
    (one) => `${one.path.split(" ")[1] ?? ""}: ${one.message}`,
  );
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
      retentionMs: 7 * 86_400_000,
      saga: Plan_Order.REVERSE,
      outputStep: undefined,
    });
    expect(plan.methods).toEqual([
      "inventory.v1.InventoryService/Release",
      "inventory.v1.InventoryService/Reserve",
      "payment.v1.PaymentService/Charge",
      "payment.v1.PaymentService/Refund",
      "shipping.v1.ShippingService/Cancel",
      "shipping.v1.ShippingService/Quote",
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
      "pay_and_quote",
      "charge",
      "quote",
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
    expect(plan.body?.steps.map((step) => callOf(step).idempotent)).toEqual([false, true]);
  });

  it("keeps key, attributes, caller's headers, order, timeout and retention", () => {
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
      retention: "30m",
      step: [pause],
      output: "{note: run.id}",
    });
    expect(plan).toMatchObject({
      metadata: ["x-tenant"],
      attributes: [{ name: "priority" }, { name: "due" }, { name: "began" }],
      saga: Plan_Order.PARALLEL,
      timeoutMs: 36 * 3_600_000,
      retentionMs: 30 * 60_000,
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
    expect(callOf(stepAt(plan.body, 0)).headers.map(({ key, value }) => [key, value?.source])).toEqual([
      ["x-order", "input.id"],
    ]);
    expect(stepAt(plan.body, 0).compensate?.call?.method).toBe("contract.v1.Stock/Release");
    expect(stepAt(plan.body, 1).kind).toMatchObject({
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
    expect(callOf(stepAt(made.body, 0))).toMatchObject(wanted);
  });
});

describe("a step's result", () => {
  const fallible = { ...reserve, when: "input.express" };
  const guarded = '{reservation_id: has(steps.reserve) ? reserve.reservation_id : ""}';

  it("can be read under has() where the step may not have run", () => {
    expect(wrongs({ step: [fallible], output: guarded })).toEqual([]);
    expect(wrongs({ step: [fallible], output })).toEqual([
      "output: step 'reserve' may not have run here: it has a `when`",
    ]);
  });

  it("can be read in its own arm, and after the switch where no other arm gets there", () => {
    const fail = { kind: { $case: "fail", value: { code: Status_Code.ABORTED } } } as const;
    const note = { id: "note", kind: { $case: "let", value: { value: "reserve.reservation_id" } } } as const;
    const only = { case: [{ when: "!input.express", step: [fail] }], default: { step: [reserve, note] } };
    expect(wrongs({ step: [{ kind: { $case: "switch", value: only } }], output: "{note: note}" })).toEqual([]);
    const several = { case: [{ when: "!input.express", step: [pause] }], default: { step: [reserve, note] } };
    expect(wrongs({ step: [{ kind: { $case: "switch", value: several } }], output: "{note: note}" })).toEqual([
      "output: step 'note' may not have run here: it stands in a case of a switch",
    ]);
    const open = { case: [{ when: "input.express", step: [reserve] }] };
    expect(wrongs({ step: [{ kind: { $case: "switch", value: open } }], output })).toEqual([
      "output: step 'reserve' may not have run here: it stands in a case of a switch",
    ]);
  });

  it("can be read after the parallel step around it", () => {
    const both = { branch: [{ step: [reserve] }, { step: [pause] }] };
    expect(wrongs({ step: [{ kind: { $case: "parallel", value: both } }], output })).toEqual([]);
    expect(wrongs({ step: [{ when: "input.express", kind: { $case: "parallel", value: both } }], output })).toEqual([
      "output: step 'reserve' may not have run here: the step around it has a `when`",
    ]);
  });
});

describe("an image", () => {
  it("may hold several workflows of one service and of several", () => {
    const made = compileMade(contract, [
      { service: "Second", rpc: "Zeta", workflow: { step: [pause], output: "{}" } },
      { service: "Second", rpc: "Alpha", workflow: { step: [pause], output: "{}" } },
      { service: "First", rpc: "Only", workflow: { step: [pause], output: "{}" } },
    ]);
    expect(made.workflows.map((one) => one.workflow)).toEqual([
      "made.v1.First/Only",
      "made.v1.Second/Alpha",
      "made.v1.Second/Zeta",
    ]);
    expect(made.services).toEqual(["contract.v1.Stock", "made.v1.First", "made.v1.Second"]);
  });

  it("may hold an option in pieces, as protoc writes several statements", () => {
    const whole = makeSet(contract, [{ workflow: { key: "input.id", step: [reserve, pause], output } }]);
    const pieces = makeSet(contract, [{ workflow: { key: "input.id", step: [reserve] } }]);
    const rest = makeSet(contract, [{ workflow: { step: [pause], output } }]);
    const unknown = rest.file.at(-1)?.service[0]?.method[0]?.options?.$unknown ?? [];
    pieces.file.at(-1)?.service[0]?.method[0]?.options?.$unknown?.push(...unknown);
    const [joined] = compileImage(toBinary(FileDescriptorSetSchema, pieces)).workflows;
    const [direct] = compileImage(toBinary(FileDescriptorSetSchema, whole)).workflows;
    expect(joined).toEqual(direct);
  });

  it("may have its files in any order, each more than once", () => {
    const set = makeSet(contract, [{ workflow: { step: [reserve], output } }]);
    set.file = [...set.file.toReversed(), ...set.file];
    expect(compileImage(toBinary(FileDescriptorSetSchema, set)).workflows.length).toBe(1);
  });

  it("without workflows is no mistake", () => {
    expect(compileImage(toBinary(FileDescriptorSetSchema, contract))).toEqual({
      workflows: [],
      diagnostics: [],
      services: ["contract.v1.Stock"],
    });
  });

  it("is refused when its options say what this version does not know", () => {
    const set = makeSet(contract, [{ workflow: { step: [pause], output: "{}" } }]);
    // Field 99 of Workflow.
    set.file.at(-1)?.service[0]?.method[0]?.options?.$unknown?.push(extension(Uint8Array.of(0x98, 0x06, 0x01)));
    expect(compileImage(toBinary(FileDescriptorSetSchema, set)).diagnostics).toMatchObject([
      { code: "SIDESTEP1004", message: "field 99 is not known to this version of Sidestep" },
    ]);
  });

  it("is refused when the schema in it lacks what expressions read", () => {
    const set = makeSet(contract, [{ workflow: { step: [pause], output: "{}" } }]);
    for (const file of set.file) file.messageType = file.messageType.filter((message) => message.name !== "RunRecord");
    expect(compileImage(toBinary(FileDescriptorSetSchema, set)).diagnostics).toMatchObject([{ code: "SIDESTEP1004" }]);
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
