import { create, createFileRegistry, fromBinary, fromJson, toBinary, toJson } from "@bufbuild/protobuf";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { compileImage } from "../../orchestrator/src/compile/compileImage.ts";
import { buildModules } from "../../orchestrator/src/compile/testing.ts";
import { advance } from "../../orchestrator/src/engine/advance.ts";
import type { PublishTask } from "../../orchestrator/src/engine/command.ts";
import { describeRun } from "../../orchestrator/src/engine/describe.ts";
import { evaluateKey } from "../../orchestrator/src/engine/key.ts";
import { loadPlan } from "../../orchestrator/src/engine/loadPlan.ts";
import type { LogRecord } from "../../orchestrator/src/engine/record.ts";
import { canonicalRequest } from "../../orchestrator/src/engine/request.ts";
import { newRun } from "../../orchestrator/src/engine/state.ts";
import { epochMs } from "../../orchestrator/src/engine/testing/expression.ts";
import {
  eventAt,
  makeFailure,
  makeStarted,
  outcomeAt,
  testRunId,
} from "../../orchestrator/src/engine/testing/records.ts";
import { SignalReceived } from "../../proto/gen/sidestep/internal/v1/event.ts";
import type { Event } from "../../proto/gen/sidestep/internal/v1/event.ts";
import { Plan } from "../../proto/gen/sidestep/internal/v1/plan.ts";
import { Run_State } from "../../proto/gen/sidestep/v1/run.ts";
import type { CodeName } from "../../proto/wire/status.ts";

// The example's saga as its .proto has it: compiled, stored, loaded, and run by the engine alone.
const image = buildModules(["examples/order/proto"]);
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
const [compiled] = compileImage(image).workflows;
const plan = loadPlan(Plan.encode(compiled?.plan ?? Plan.create()).finish());

function message(type: string, given: JsonValue): Uint8Array {
  const desc = registry.getMessage(type);
  if (desc === undefined) throw new Error(`no message ${type}`);
  return toBinary(desc, fromJson(desc, given));
}

function json(type: string, bytes: Uint8Array): JsonValue {
  const desc = registry.getMessage(type);
  if (desc === undefined) throw new Error(`no message ${type}`);
  return toJson(desc, fromBinary(desc, bytes), { registry });
}

const order: JsonObject = {
  orderId: "o-1",
  customerId: "c-1",
  items: [{ sku: "tea", quantity: 2 }],
  total: { currency: "EUR", units: "250" },
  address: "Main Street 1",
};
const request = message("shop.v1.FulfilRequest", order);

/** What a method answers: a message, or an error that tells nothing has been sent unless the code is UNKNOWN. */
type Given = { readonly type: string; readonly answer: JsonValue } | CodeName;
interface Called {
  readonly method: string;
  readonly request: JsonValue;
}

/**
 * A run of the saga; `answers` says what each method does, `whenStill` what comes when all calls are answered and the run has not ended:
 * an event, or the timer that was armed last.
 */
function run(answers: (task: PublishTask) => Given, whenStill?: Event["kind"] | "timer") {
  const state = newRun(testRunId);
  const called: Called[] = [];
  const queue: PublishTask[] = [];
  let sequence = 0;
  let end: LogRecord | undefined;
  let timer = { number: 0, dueMs: 0 };
  const take = (record: LogRecord): void => {
    for (const command of advance(plan, state, record).commands) {
      if (command.kind === "publishTask") queue.push(command);
      if (command.kind === "armTimer") timer = { number: command.number, dueMs: command.dueMs };
      if (command.kind === "endRun") end = eventAt(0, sequence * 10, { $case: "runEnded", value: command.ended });
    }
  };
  take(eventAt(++sequence, 0, { $case: "runStarted", value: makeStarted({ request }) }));
  const answerAll = (): void => {
    for (let task = queue.shift(); task !== undefined; task = queue.shift()) answer(task);
  };
  const answer = (task: PublishTask): void => {
    called.push({ method: task.method, request: json(requestTypes[task.method] ?? "", task.request) });
    const given = answers(task);
    const kind =
      typeof given === "string"
        ? ({ $case: "failed", value: makeFailure(given, "declined") } as const)
        : ({ $case: "completed", value: message(given.type, given.answer) } as const);
    take(outcomeAt(++sequence, sequence * 10, task.attempt, kind));
  };
  answerAll();
  if (end === undefined && whenStill !== undefined) {
    if (whenStill === "timer") take(eventAt(++sequence, timer.dueMs - epochMs, { $case: "timerFired", value: timer }));
    else take(eventAt(++sequence, sequence * 10, whenStill));
    answerAll();
  }
  if (end !== undefined) take({ ...end, sequence: ++sequence });
  return { state, called };
}

const requestTypes: Readonly<Record<string, string>> = {
  "inventory.v1.InventoryService/Reserve": "inventory.v1.ReserveRequest",
  "inventory.v1.InventoryService/Release": "inventory.v1.ReleaseRequest",
  "payment.v1.PaymentService/Charge": "payment.v1.ChargeRequest",
  "payment.v1.PaymentService/Refund": "payment.v1.RefundRequest",
  "payment.v1.PaymentService/FindCharge": "payment.v1.FindChargeRequest",
  "shipping.v1.ShippingService/Label": "shipping.v1.LabelRequest",
  "shipping.v1.ShippingService/Ship": "shipping.v1.ShipRequest",
};

const good: Readonly<Record<string, { readonly type: string; readonly answer: JsonValue }>> = {
  "inventory.v1.InventoryService/Reserve": { type: "inventory.v1.ReserveResponse", answer: { reservationId: "r-1" } },
  "inventory.v1.InventoryService/Release": { type: "inventory.v1.ReleaseResponse", answer: {} },
  "payment.v1.PaymentService/Charge": { type: "payment.v1.ChargeResponse", answer: { chargeId: "ch-1" } },
  "payment.v1.PaymentService/Refund": { type: "payment.v1.RefundResponse", answer: {} },
  "shipping.v1.ShippingService/Label": { type: "shipping.v1.LabelResponse", answer: { labelId: "l-1" } },
  "shipping.v1.ShippingService/Ship": {
    type: "shipping.v1.ShipResponse",
    answer: { tracking: "t-1", eta: "2026-01-02T00:00:00Z" },
  },
};

function answerOf(task: PublishTask): { readonly type: string; readonly answer: JsonValue } {
  const found = good[task.method];
  if (found === undefined) throw new Error(`no answer to ${task.method}`);
  return found;
}

test("a good order goes through all services, each with its own typed request, and is answered", () => {
  const { state, called } = run(answerOf);

  expect(called).toEqual([
    {
      method: "inventory.v1.InventoryService/Reserve",
      request: { orderId: "o-1", lines: [{ sku: "tea", quantity: 2 }] },
    },
    {
      method: "payment.v1.PaymentService/Charge",
      request: { orderId: "o-1", amount: { currency: "EUR", units: "250" }, method: "METHOD_CARD" },
    },
    {
      method: "shipping.v1.ShippingService/Label",
      request: { orderId: "o-1", sku: "tea", quantity: 2, address: "Main Street 1" },
    },
    {
      method: "shipping.v1.ShippingService/Ship",
      request: { orderId: "o-1", labelIds: ["l-1"], address: "Main Street 1", express: true },
    },
  ]);
  expect(state.ended?.state).toBe(Run_State.COMPLETED);
  expect(json("shop.v1.FulfilResponse", state.ended?.response ?? new Uint8Array())).toEqual({
    tracking: "t-1",
    eta: "2026-01-02T00:00:00Z",
    chargeId: "ch-1",
  });
  expect(describeRun(plan, state).attributes).toEqual({ customer: '"c-1"' });
});

test("an order that can't be shipped is undone, last step first, by requests that know what was done", () => {
  const { state, called } = run((task) => (task.method.endsWith("/Ship") ? "FAILED_PRECONDITION" : answerOf(task)));

  expect(called.slice(4)).toEqual([
    {
      method: "payment.v1.PaymentService/Refund",
      request: { orderId: "o-1", reason: "order failed", chargeId: "ch-1" },
    },
    { method: "inventory.v1.InventoryService/Release", request: { orderId: "o-1", reservationId: "r-1" } },
  ]);
  expect(state.ended).toMatchObject({
    state: Run_State.COMPENSATED,
    step: "ship",
    status: { code: 9, message: "declined" },
  });
});

test("what the service says of a charge in doubt is the step's result, and the charge is not asked for again", () => {
  const { state, called } = run((task) => {
    if (task.method.endsWith("/Charge")) return "UNKNOWN";
    if (!task.method.endsWith("/FindCharge")) return answerOf(task);
    return { type: "payment.v1.FindChargeResponse", answer: { charge: { chargeId: "ch-7" } } };
  });

  expect(called.map(({ method }) => method)).toEqual([
    "inventory.v1.InventoryService/Reserve",
    "payment.v1.PaymentService/Charge",
    "payment.v1.PaymentService/FindCharge",
    "shipping.v1.ShippingService/Label",
    "shipping.v1.ShippingService/Ship",
  ]);
  expect(json("shop.v1.FulfilResponse", state.ended?.response ?? new Uint8Array())).toMatchObject({ chargeId: "ch-7" });
});

describe("a charge that wants a review", () => {
  const risky = { type: "payment.v1.ChargeResponse", answer: { chargeId: "ch-1", reviewRequired: true } };
  const answers = (task: PublishTask): Given => (task.method.endsWith("/Charge") ? risky : answerOf(task));
  const reviewed = (approved: boolean): Event["kind"] => ({
    $case: "signalReceived",
    value: SignalReceived.fromPartial({
      name: "reviewed",
      payload: message("shop.v1.ReviewRequest", { orderId: "o-1", approved, reviewer: "ann" }),
    }),
  });
  const methodsAfterCharge = (called: readonly Called[]): readonly string[] =>
    called.slice(2).map(({ method }) => method.slice(method.indexOf("/") + 1));

  test("goes on when the reviewer approves", () => {
    const { state, called } = run(answers, reviewed(true));
    expect(methodsAfterCharge(called)).toEqual(["Label", "Ship"]);
    expect(state.ended?.state).toBe(Run_State.COMPLETED);
  });

  test("is undone when the reviewer rejects it, with the reviewer's name in the answer", () => {
    const { state, called } = run(answers, reviewed(false));
    expect(methodsAfterCharge(called)).toEqual(["Refund", "Release"]);
    expect(state.ended).toMatchObject({
      state: Run_State.COMPENSATED,
      status: { code: 7, message: "rejected by ann" },
    });
  });

  test("is undone when nobody has reviewed it for a day", () => {
    const { state, called } = run(answers, "timer");
    expect(methodsAfterCharge(called)).toEqual(["Refund", "Release"]);
    expect(state.ended).toMatchObject({
      state: Run_State.COMPENSATED,
      status: { code: 4, message: "nobody reviewed the order" },
    });
  });
});

test("what is not in stock fails the run with the workflow's own message", () => {
  const short: JsonValue = { reservationId: "r-1", short: [{ sku: "tea", quantity: 2 }] };
  const { state, called } = run((task) =>
    task.method.endsWith("/Reserve") ? { type: "inventory.v1.ReserveResponse", answer: short } : answerOf(task),
  );

  expect(called.map(({ method }) => method)).toEqual([
    "inventory.v1.InventoryService/Reserve",
    "inventory.v1.InventoryService/Release",
  ]);
  expect(state.ended).toMatchObject({
    state: Run_State.COMPENSATED,
    step: "step[1]",
    status: { code: 9, message: "not in stock: tea" },
  });
});

test("the key is the order's id; an order without one has no key that could hold", () => {
  expect(evaluateKey(plan, request, new Map())).toEqual({ kind: "key", key: "o-1" });
  expect(evaluateKey(plan, new Uint8Array(), new Map())).toEqual({ kind: "failed", message: "key: the key is empty" });
});

test("equal requests have one canonical form, whatever order their fields came in; unknown fields count", () => {
  const desc = registry.getMessage("shop.v1.FulfilRequest");
  if (desc === undefined) throw new Error("no request type");
  const head = toBinary(desc, fromJson(desc, { orderId: "o-1" }));
  const tail = toBinary(desc, fromJson(desc, { address: "Main Street 1" }));
  const unknown = Uint8Array.of(0xa0, 0x06, 1);
  const canonical = (bytes: Uint8Array): unknown => canonicalRequest(plan, bytes);
  expect(canonical(Uint8Array.from([...tail, ...head]))).toEqual(canonical(Uint8Array.from([...head, ...tail])));
  expect(canonical(Uint8Array.from([...head, ...unknown]))).not.toEqual(canonical(head));
  expect(canonical(toBinary(desc, create(desc)))).toEqual({ kind: "ok", bytes: new Uint8Array() });
  expect(canonical(Uint8Array.of(0xff))).toMatchObject({
    kind: "failed",
    message: expect.stringContaining("the request is not a shop.v1.FulfilRequest"),
  });
});
