import { fulfil, review } from "./orders.ts";
import type { Answer, Order } from "./orders.ts";
import type { Stage } from "./stage.ts";

/** One order of the demo and what is expected of it. */
export interface Chapter {
  readonly title: string;
  readonly order: Order;
  /** Name of the run's end: "COMPLETED". */
  readonly state: string;
  /** What the services' journals must say of the order: "payment Charge effect". Repeats are not counted. */
  readonly effects: readonly string[];
  readonly play: (stage: Stage, order: Order, say: (line: string) => void) => Promise<Answer>;
}

const customer = {
  customer_id: "ada",
  address: "12 Harbour Street",
  items: [
    { sku: "mug", quantity: 2 },
    { sku: "lamp", quantity: 1 },
  ],
};

const labels = ["shipping Label effect", "shipping Label effect"];

/** The four orders. Ids are unique, so that the demo can be run again on what `--keep` left. */
export function chapters(unique: string): readonly Chapter[] {
  return [
    {
      title: "A good order",
      order: { ...customer, order_id: `good-${unique}`, total: { currency: "EUR", units: 240 } },
      state: "COMPLETED",
      effects: ["inventory Reserve effect", "payment Charge effect", ...labels, "shipping Ship effect"],
      play: async (stage, order) => fulfil(stage.address, order),
    },
    {
      title: "An order that the card does not cover: what was done is undone",
      order: { ...customer, order_id: `declined-${unique}`, total: { currency: "EUR", units: 4200 } },
      state: "COMPENSATED",
      effects: ["inventory Reserve effect", "inventory Release effect", "payment Charge refused"],
      play: async (stage, order) => fulfil(stage.address, order),
    },
    {
      title: "A large invoice: it waits for a review, which is an rpc as well",
      order: {
        ...customer,
        order_id: `reviewed-${unique}`,
        total: { currency: "EUR", units: 4200 },
        pay_by_invoice: true,
      },
      state: "COMPLETED",
      effects: ["inventory Reserve effect", "payment Charge effect", ...labels, "shipping Ship effect"],
      play: playReview,
    },
    {
      title: "An order during which the shipping sidecar and the orchestrator are killed",
      order: { ...customer, order_id: `stormy-${unique}`, total: { currency: "EUR", units: 80 } },
      state: "COMPLETED",
      effects: ["inventory Reserve effect", "payment Charge effect", ...labels, "shipping Ship effect"],
      play: playStorm,
    },
  ];
}

/** Reviews the order as soon as it has been taken on; what comes before the run waits for it is kept. */
async function playReview(stage: Stage, order: Order, say: (line: string) => void): Promise<Answer> {
  const taken = Promise.withResolvers<void>();
  const answer = fulfil(stage.address, order, { onRun: () => taken.resolve() });
  await Promise.race([taken.promise, answer]);
  await review(stage.address, order.order_id, "ada's bank");
  say("ada's bank has called shop.v1.OrderWorkflow/Review and approved");
  return answer;
}

/** Kills both while the carrier is being waited for; the caller, whose call broke, simply asks again with the same order. */
async function playStorm(stage: Stage, order: Order, say: (line: string) => void): Promise<Answer> {
  const atDesk = stage.services.shipping
    .program()
    .waitForLine(new RegExp(`${order.order_id}: waiting`), { timeoutMs: 30_000 });
  const first = fulfil(stage.address, order);
  await atDesk;
  const { shipping } = stage.sidecars;
  const { orchestrator } = stage;
  say(
    `the parcel is being booked: kill -9 ${shipping.pid()} (${shipping.name}) and ${orchestrator.pid()} (orchestrator)`,
  );
  await Promise.all([shipping.kill9(), orchestrator.kill9()]);
  const broken = await first;
  say(`the caller's connection broke: ${broken.kind === "failed" ? broken.code : "answered before the kill"}`);
  await Promise.all([shipping.start(), orchestrator.start()]);
  say(`both are up again; the caller asks again with the same order`);
  return fulfil(stage.address, order, { onRun: (runId) => say(`it joins run ${runId}`) });
}
