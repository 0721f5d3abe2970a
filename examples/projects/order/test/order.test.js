import { fails, loadContracts, openSandbox } from "@sidestep/testing";
import { expect, test } from "vitest";

const contracts = await loadContracts(".");
const workflow = "shop.v1.OrderWorkflow/Fulfil";
const order = { order_id: "o-1", sku: "mug", quantity: 2, cents: 2_400, address: "12 Harbour Street" };

/** The services as they answer when all goes well. */
const services = {
  "inventory.v1.InventoryService/Reserve": { reservation_id: "r-1" },
  "inventory.v1.InventoryService/Release": {},
  "payment.v1.PaymentService/Charge": { charge_id: "c-1" },
  "payment.v1.PaymentService/Refund": {},
  "shipping.v1.ShippingService/Ship": { tracking: "t-1" },
};

test("an order is reserved, charged and shipped", async () => {
  const box = openSandbox(contracts, { fakes: services });
  const run = await box.start(workflow, order).ended();
  expect(run.state).toBe("COMPLETED");
  expect(run.completed).toEqual(["reserve", "charge", "ship"]);
  expect(run.response).toMatchObject({ tracking: "t-1" });
});

test("an order that no carrier takes is undone, the last first", async () => {
  const fakes = { ...services, "shipping.v1.ShippingService/Ship": fails("FAILED_PRECONDITION", "no carrier") };
  const run = await openSandbox(contracts, { fakes }).start(workflow, order).ended();
  expect(run.state).toBe("COMPENSATED");
  expect(run.undone).toEqual(["charge", "reserve"]);
});

test("a card that does not cover it leaves nothing reserved", async () => {
  const fakes = { ...services, "payment.v1.PaymentService/Charge": fails("FAILED_PRECONDITION", "not covered") };
  const box = openSandbox(contracts, { fakes });
  const run = await box.start(workflow, order).ended();
  expect(run.status).toMatchObject({ code: "FAILED_PRECONDITION" });
  expect(box.calls("inventory.v1.InventoryService/Release")).toHaveLength(1);
  expect(box.calls("payment.v1.PaymentService/Refund")).toHaveLength(0);
});
