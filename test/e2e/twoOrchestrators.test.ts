import { expect, test } from "vitest";
import { makeOrder, openOrderClient } from "../support/orderClient.ts";
import type { FulfilAnswer, Order, OrderClient } from "../support/orderClient.ts";
import { runLeaves } from "../chaos/leaves.ts";
import { startOrderStack } from "../support/orderStack.ts";
import type { OrderStack } from "../support/orderStack.ts";

const bookingMs = 400;
const ordersInFlight = 24;
const eachOnce = { Reserve: ordersInFlight, Charge: ordersInFlight, Label: ordersInFlight, Ship: ordersInFlight };

test("when the orchestrator that owns the partitions is killed, the other one goes on with its runs", async () => {
  await using stack = await startOrderStack({
    orchestrators: 2,
    serviceEnv: { shipping: { SHIP_DELAY_MS: String(bookingMs) } },
  });
  const [owner, other] = stack.orchestrators;
  if (owner === undefined || other === undefined) throw new Error("two orchestrators were asked for");
  await using client = openOrderClient(other.address);
  const answers = placeOrders(client, "killed");
  await shippingHasBegun(stack);

  await owner.program().kill9();

  expect((await answers).map((it) => it.kind)).toEqual(Array<string>(ordersInFlight).fill("ok"));
  expect(effectsOf(stack)).toEqual(eachOnce);
  expect(doubledKeys(stack)).toEqual([]);
});

test("an orchestrator and a sidecar leave and come back under load, and nothing is executed twice", async () => {
  await using stack = await startOrderStack({ orchestrators: 2, serviceEnv: { shipping: { SHIP_DELAY_MS: "50" } } });
  const members = [...stack.orchestrators.slice(0, 1), stack.sidecars.shipping];

  const report = await runLeaves(stack, { rounds: 1, members, inFlight: 8, progress: () => undefined });

  expect(report.breaches).toEqual([]);
  expect(report.repeats).toEqual([]);
  expect(report.left).toBe(2);
});

/** Orders that are not express, so that each is being booked for a while. */
async function placeOrders(client: OrderClient, name: string): Promise<readonly FulfilAnswer[]> {
  const orders: readonly Order[] = Array.from({ length: ordersInFlight }, (_, index) => makeOrder(`${name}-${index}`));
  return await Promise.all(orders.map((order) => client.fulfil(order, 60_000)));
}

/** Resolves when the carrier has booked the first parcel: the others are on their way. */
async function shippingHasBegun(stack: OrderStack): Promise<void> {
  await expect
    .poll(() => stack.services.shipping.journal().length, { timeout: 30_000, interval: 20 })
    .toBeGreaterThan(0);
}

function journalOf(stack: OrderStack) {
  return stack.services.all.flatMap((service) => service.journal());
}

function effectsOf(stack: OrderStack): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { method, outcome } of journalOf(stack)) {
    if (outcome === "effect") counts[method] = (counts[method] ?? 0) + 1;
  }
  return counts;
}

function doubledKeys(stack: OrderStack): readonly string[] {
  const keys = journalOf(stack)
    .filter((it) => it.outcome === "effect")
    .map((it) => `${it.method} ${it.key}`);
  return keys.filter((key, index) => keys.indexOf(key) !== index);
}
