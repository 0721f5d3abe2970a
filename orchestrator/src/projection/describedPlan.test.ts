import { expect, test } from "vitest";
import { buildImage } from "../../../test/support/image.ts";
import type { DefinedBlock, DefinedStep } from "../../../proto/gen/sidestep/v1/definitions.ts";
import { DefinedBlock_Role } from "../../../proto/gen/sidestep/v1/definitions.ts";
import { compileImage } from "../compile/compileImage.ts";
import { describePlan } from "./describedPlan.ts";

test("a workflow is told as its author wrote it, with its blocks and what undoes its calls", async () => {
  const image = new Uint8Array(await buildImage("examples/order/proto"));
  const plan = compileImage(image, {}).workflows[0]?.plan;
  if (plan === undefined) throw new Error("the example does not compile");
  const described = describePlan(plan, 3);
  expect(described).toMatchObject({ workflow: "shop.v1.OrderWorkflow/Fulfil", version: 3, streaming: false });
  expect(described.settings.map(({ name, text }) => `${name}: ${text}`)).toContain("timeout: 7d");
  expect(outline(described.steps, "")).toMatchInlineSnapshot(`
    [
      "reserve call inventory.v1.InventoryService/Reserve inventory.v1.ReserveRequest inventory.v1.ReserveResponse",
      "  undo inventory.v1.InventoryService/Release",
      "step[1] fail",
      "charge call payment.v1.PaymentService/Charge payment.v1.ChargeRequest payment.v1.ChargeResponse",
      "  undo payment.v1.PaymentService/Refund",
      "step[3] try",
      "  BODY",
      "    review signal shop.v1.ReviewRequest",
      "    step[3].step[1] fail",
      "  CATCH DEADLINE_EXCEEDED",
      "    step[3].catch[0].step[0] fail",
      "labels for_each list(string)",
      "  BODY",
      "    label call shipping.v1.ShippingService/Label shipping.v1.LabelRequest shipping.v1.LabelResponse",
      "ship call shipping.v1.ShippingService/Ship shipping.v1.ShipRequest shipping.v1.ShipResponse",
      "  undo shipping.v1.ShippingService/Cancel",
    ]
  `);
  const charge = described.steps.find(({ id }) => id === "charge");
  expect(charge?.settings).toMatchInlineSnapshot(`
    [
      {
        "expression": true,
        "name": "request",
        "text": "{order_id: input.order_id, amount: input.total, method: input.pay_by_invoice ? payment.v1.Method.METHOD_INVOICE                              : payment.v1.Method.METHOD_CARD}",
      },
      {
        "expression": false,
        "name": "timeout",
        "text": "20s",
      },
      {
        "expression": false,
        "name": "retry",
        "text": "6 attempts, 1s × 2 up to 10s, on DEADLINE_EXCEEDED, UNAVAILABLE",
      },
      {
        "expression": false,
        "name": "on_doubt",
        "text": "VERIFY",
      },
      {
        "expression": false,
        "name": "verify",
        "text": "payment.v1.PaymentService/FindCharge",
      },
      {
        "expression": true,
        "name": "verify request",
        "text": "{order_id: input.order_id}",
      },
      {
        "expression": true,
        "name": "verify done",
        "text": "has(answer.charge)",
      },
      {
        "expression": false,
        "name": "on_exhausted",
        "text": "FAIL",
      },
    ]
  `);
});

function outline(steps: readonly DefinedStep[], indent: string): readonly string[] {
  return steps.flatMap((step) => [
    [indent + step.name, step.kind, step.method, step.requestType, step.resultType].filter((it) => it !== "").join(" "),
    ...(step.compensation === undefined ? [] : [`${indent}  undo ${step.compensation.method}`]),
    ...step.blocks.flatMap((block) => [`${indent}  ${nameOf(block)}`, ...outline(block.steps, `${indent}    `)]),
  ]);
}

function nameOf({ role, label }: DefinedBlock): string {
  const [name = ""] = Object.entries(DefinedBlock_Role).find(([, value]) => value === role) ?? [];
  return `${name} ${label}`.trim();
}
