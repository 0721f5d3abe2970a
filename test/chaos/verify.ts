import type { Run } from "../../proto/gen/sidestep/v1/run.ts";
import { HistoryEvent_Kind, Run_State } from "../../proto/gen/sidestep/v1/run.ts";
import type { HistoryEvent } from "../../proto/gen/sidestep/v1/run.ts";
import type { JournalEntry } from "../support/orderServices.ts";
import type { OrderStack } from "../support/orderStack.ts";

/** What is known of one order after the storm. */
export interface OrderRecord {
  readonly orderId: string;
  readonly isDeclined: boolean;
  readonly run: Run;
  readonly history: readonly HistoryEvent[];
  /** Its run was there once, and is gone now. */
  readonly isDeleted: boolean;
  /** When it was last asked about, by this process's clock. */
  readonly lookedMs: number;
}

/** Effects by service, in the order in which the service did them. */
export type Journals = Readonly<Record<"inventory" | "payment" | "shipping", readonly JournalEntry[]>>;

/** The journals of a stack's services as they are now. */
export function journalsOf({ services: { inventory, payment, shipping } }: OrderStack): Journals {
  return { inventory: inventory.journal(), payment: payment.journal(), shipping: shipping.journal() };
}

const forward = { inventory: "Reserve", payment: "Charge", shipping: "Ship" } as const;
const backward = { inventory: "Release", payment: "Refund", shipping: "Cancel" } as const;
const services = ["inventory", "payment", "shipping"] as const;

/** Everything that must hold and does not, one sentence each; empty when all is well. */
export function findBreaches(orders: readonly OrderRecord[], journals: Journals): readonly string[] {
  const known = new Set(orders.map((order) => order.orderId));
  const byOrder = {
    inventory: Map.groupBy(journals.inventory, (it) => it.order),
    payment: Map.groupBy(journals.payment, (it) => it.order),
    shipping: Map.groupBy(journals.shipping, (it) => it.order),
  };
  return [...orders.flatMap((order) => breachesOfRun(order)), ...services.flatMap((name) => breachesOfJournal(name))];

  function breachesOfRun(order: OrderRecord): readonly string[] {
    const wanted = order.isDeclined ? Run_State.COMPENSATED : Run_State.COMPLETED;
    const at = `order ${order.orderId}, run ${order.run.runId}`;
    const breaches: string[] = [];
    if (order.run.state !== wanted) breaches.push(`${at}: state ${order.run.state}, expected ${wanted}`);
    const outcomes = new Map<string, number>();
    for (const event of order.history) {
      if (event.kind !== HistoryEvent_Kind.STEP_COMPLETED || event.ignored) continue;
      const step = `${event.compensation ? "undo " : ""}${event.step}`;
      outcomes.set(step, (outcomes.get(step) ?? 0) + 1);
    }
    for (const [step, count] of outcomes) if (count !== 1) breaches.push(`${at}: ${count} outcomes of ${step}`);
    const ends = order.history.filter((it) => it.kind === HistoryEvent_Kind.RUN_ENDED && !it.ignored).length;
    if (ends !== 1) breaches.push(`${at}: ${ends} ends`);
    return [...breaches, ...services.flatMap((name) => breachesOfEffects(order, name, outcomes))];
  }

  function breachesOfEffects(
    order: OrderRecord,
    name: keyof Journals,
    outcomes: ReadonlyMap<string, number>,
  ): readonly string[] {
    const own = (byOrder[name].get(order.orderId) ?? []).filter((it) => it.outcome === "effect");
    const done = own.filter((it) => it.method === forward[name]).length;
    const undone = own.filter((it) => it.method === backward[name]).length;
    const at = `order ${order.orderId}, ${name}`;
    const labels = own.filter((it) => it.method === "Label").length;
    // An order of the storm has one item.
    if (name === "shipping" && labels !== (order.isDeclined ? 0 : 1)) return [`${at}: ${labels} labels`];
    if (!order.isDeclined) {
      return done === 1 && undone === 0 ? [] : [`${at}: done ${done} times, undone ${undone} times, expected 1 and 0`];
    }
    const breaches: string[] = [];
    const firstUndo = own.findIndex((it) => it.method === backward[name]);
    const lastDone = own.findLastIndex((it) => it.method === forward[name]);
    if (firstUndo !== -1 && lastDone > firstUndo) breaches.push(`${at}: done after it was undone`);
    if (done > 0 && undone === 0) breaches.push(`${at}: done and never undone`);
    if (name === "inventory" && outcomes.get("reserve") !== 1) breaches.push(`${at}: no outcome of reserve`);
    if (name === "shipping" && done > 0) breaches.push(`${at}: shipped although it was declined`);
    return breaches;
  }

  function breachesOfJournal(name: keyof Journals): readonly string[] {
    const effects = journals[name].filter((it) => it.outcome === "effect");
    const keys = new Set(effects.map((it) => `${it.method} ${it.key}`));
    const breaches: string[] = [];
    if (keys.size !== effects.length)
      breaches.push(`${name}: ${effects.length} effects of ${keys.size} idempotency keys`);
    if (effects.some((it) => it.key === "")) breaches.push(`${name}: an effect without an idempotency key`);
    for (const effect of effects) {
      if (!known.has(effect.order))
        breaches.push(`${name}: an effect for ${effect.order}, which no accepted run asked for`);
    }
    return breaches;
  }
}
