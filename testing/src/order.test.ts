import { beforeAll, expect, test } from "vitest";
import {
  crashesOrchestrator,
  crashesSidecar,
  delayed,
  fails,
  hangs,
  inTurn,
  loadContracts,
  lost,
  openSandbox,
  unreachable,
} from "./door.ts";
import type { Contracts, Fakes, Sandbox } from "./door.ts";

let contracts: Contracts;
const fulfil = "shop.v1.OrderWorkflow/Fulfil";
const reserve = "inventory.v1.InventoryService/Reserve";
const charge = "payment.v1.PaymentService/Charge";
const ship = "shipping.v1.ShippingService/Ship";
const startMs = Date.UTC(2026, 0, 1);

beforeAll(async () => {
  contracts = await loadContracts("examples/order/proto");
});

const order = {
  orderId: "o-1",
  customerId: "c-1",
  items: [{ sku: "cup", quantity: 2 }],
  total: { currency: "EUR", units: 20n },
};

function sandbox(more: Fakes = {}): Sandbox {
  return openSandbox(contracts, {
    fakes: {
      [reserve]: { reservationId: "r-1" },
      "inventory.v1.InventoryService/Release": {},
      [charge]: { chargeId: "ch-1" },
      "payment.v1.PaymentService/Refund": {},
      "payment.v1.PaymentService/FindCharge": { charge: { chargeId: "ch-1" } },
      "shipping.v1.ShippingService/Label": (request: { sku: string }) => ({ labelId: `l-${request.sku}` }),
      [ship]: { tracking: "t-1", eta: new Date("2026-01-03T00:00:00Z") },
      "shipping.v1.ShippingService/Cancel": {},
      ...more,
    },
  });
}

test("an order is reserved, charged, labelled and shipped", async () => {
  const box = sandbox();
  const run = await box.start(fulfil, order).ended();
  expect(run.state).toBe("COMPLETED");
  expect(run.response).toEqual({ tracking: "t-1", eta: "2026-01-03T00:00:00Z", chargeId: "ch-1" });
  expect(run.completed).toEqual(["reserve", "charge", "labels[0]/label", "labels", "ship"]);
  expect(box.calls(charge).map(({ request }) => request)).toEqual([
    { orderId: "o-1", amount: { currency: "EUR", units: "20", nanos: 0 }, method: "METHOD_CARD" },
  ]);
});

test("what was done is undone in reverse when shipping fails", async () => {
  const box = sandbox({ [ship]: fails("FAILED_PRECONDITION", "no such address") });
  const run = await box.start(fulfil, order).ended();
  expect(run.state).toBe("COMPENSATED");
  expect(run.status).toMatchObject({ code: "FAILED_PRECONDITION", message: "no such address" });
  expect(run.undone).toEqual(["charge", "reserve"]);
});

test("a call that fails for the moment is tried again after its backoff, in virtual time", async () => {
  const box = sandbox({ [reserve]: inTurn(fails("UNAVAILABLE"), unreachable(), { reservationId: "r-2" }) });
  const run = await box.start(fulfil, order).ended();
  expect(run.step("reserve")).toMatchObject({
    state: "COMPLETED",
    attempts: 3,
    result: { reservationId: "r-2" },
    error: { code: "UNAVAILABLE", message: "the service can't be reached" },
  });
  const [first, second, third] = box.calls(reserve);
  expect([first?.attempt, second?.attempt, third?.attempt]).toEqual([1, 2, 3]);
  expect(new Set(box.calls(reserve).map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1);
  // The pauses are drawn by run and attempt: 200 ms and 400 ms at most.
  const tookMs = (third?.at.getTime() ?? 0) - (first?.at.getTime() ?? 0);
  expect(tookMs).toBeGreaterThan(0);
  expect(tookMs).toBeLessThanOrEqual(600);
  expect(run.history.map(({ kind, step, isUndo }) => `${isUndo ? "undo " : ""}${kind} ${step}`)).toEqual([
    "RUN_STARTED ",
    "ATTEMPT_FAILED reserve",
    "TIMER_FIRED reserve",
    "ATTEMPT_FAILED reserve",
    "TIMER_FIRED reserve",
    "STEP_COMPLETED reserve",
    "ATTEMPT_CLAIMED charge",
    "STEP_COMPLETED charge",
    "STEP_COMPLETED labels[0]/label",
    "STEP_COMPLETED ship",
    "RUN_ENDED ",
  ]);
});

test("a lost answer is asked for", async () => {
  const box = sandbox({ [charge]: lost() });
  const run = await box.start(fulfil, order).ended();
  expect(run.state).toBe("COMPLETED");
  expect(box.calls("payment.v1.PaymentService/FindCharge").map(({ purpose }) => purpose)).toEqual(["verify"]);
});

test("a risky order waits for its review, and for a day at most", async () => {
  const risky = { [charge]: { chargeId: "ch-1", riskScore: 0.9 } };
  const box = sandbox(risky);
  const run = await box.start(fulfil, order).reaches("review");
  expect(run.state).toBe("RUNNING");
  await box.call("shop.v1.OrderWorkflow/Review", { orderId: "o-1", approved: true, reviewer: "ann" });
  expect((await run.ended()).state).toBe("COMPLETED");
  expect(await box.call("shop.v1.OrderWorkflow/GetProgress", { orderId: "o-1" })).toEqual({
    reserved: true,
    tracking: "t-1",
  });
  const late = await sandbox(risky).start(fulfil, order).ended();
  expect(late.status).toMatchObject({ code: "DEADLINE_EXCEEDED", message: "nobody reviewed the order" });
});

test("a sidecar that dies in a call that must not be repeated leaves a doubt, which is asked about", async () => {
  const box = sandbox({ [charge]: crashesSidecar() });
  const run = await box.start(fulfil, order).ended();
  expect(run.state).toBe("COMPLETED");
  expect(box.calls(charge)).toHaveLength(1);
  expect(run.step("charge")?.error?.message).toMatch(/delivered again after its call had been claimed/);
});

test("a sidecar that dies in a call that may be repeated is followed by another, which calls again", async () => {
  const box = sandbox({ [reserve]: inTurn(crashesSidecar(), { reservationId: "r-1" }) });
  const run = await box.start(fulfil, order).ended();
  expect(run.state).toBe("COMPLETED");
  expect(box.calls(reserve).map(({ attempt, at }) => [attempt, at.getTime() - startMs])).toEqual([
    [1, 0],
    [1, 3_000],
  ]);
});

test("an orchestrator that dies at any moment leaves nothing out and does nothing twice", async () => {
  const fakes = { [charge]: delayed("3s", { chargeId: "ch-1", riskScore: 0.9 }), [ship]: fails("NOT_FOUND", "no way") };
  for (const crashAt of [0, 1, 2_999, 3_000, 3_001, 60_000]) {
    const box = sandbox(fakes);
    const run = box.start(fulfil, order);
    await box.advance(crashAt);
    box.crashOrchestrator();
    await run.reaches("review");
    run.signal("reviewed", { orderId: "o-1", approved: true });
    expect((await run.ended()).state).toBe("COMPENSATED");
    expect(run.undone).toEqual(["charge", "reserve"]);
    expect(box.calls().map(({ method }) => method.split("/")[1])).toEqual([
      "Reserve",
      "Charge",
      "Label",
      "Ship",
      "Refund",
      "Release",
    ]);
  }
});

test("an orchestrator that dies during a call reads from the log what became of it", async () => {
  const box = sandbox({ [charge]: crashesOrchestrator({ chargeId: "ch-1" }) });
  expect((await box.start(fulfil, order).ended()).state).toBe("COMPLETED");
  expect(box.calls(charge)).toHaveLength(1);
  expect(box.now.getTime()).toBe(startMs + 5_000);
});

test("a call that hangs is over at its deadline", async () => {
  const box = sandbox({ [charge]: hangs() });
  const run = await box.start(fulfil, order).ended();
  expect(run.step("charge")?.error).toMatchObject({ code: "DEADLINE_EXCEEDED" });
  expect(box.now.getTime()).toBe(startMs + 20_000);
});

test("a key is one run: the same start again is the same run, another request with it is refused", () => {
  const box = sandbox();
  const run = box.start(fulfil, order);
  expect(box.start(fulfil, order).id).toBe(run.id);
  expect(box.find(fulfil, "o-1").id).toBe(run.id);
  expect(() => box.start(fulfil, { ...order, address: "elsewhere" })).toThrow(/ALREADY_EXISTS/);
});

test("a hundred sandboxes of one contract go each their own way", async () => {
  for (let index = 0; index < 100; index++) {
    const run = await sandbox(index % 2 === 0 ? {} : { [ship]: fails("NOT_FOUND") })
      .start(fulfil, order)
      .ended();
    expect(run.state).toBe(index % 2 === 0 ? "COMPLETED" : "COMPENSATED");
    expect(run.history.length).toBeGreaterThan(5);
  }
});
