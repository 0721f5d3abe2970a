import { Run_State } from "../../proto/gen/sidestep/v1/run.ts";
import { makeOrder } from "../support/orderClient.ts";
import type { Order } from "../support/orderClient.ts";

/** An order, and what must be so once its run has ended, whatever died meanwhile. */
export interface Story {
  readonly tells: string;
  readonly order: (id: string) => Order;
  readonly isReviewed: boolean;
  readonly state: Run_State;
  /** Effects that there must be, each once, in this order. */
  readonly done: readonly string[];
  /** Effects that undo, each once, in this order. */
  readonly undone: readonly string[];
  /** Undoes a step that has done nothing, but for all that is known may have. */
  readonly mayUndo: readonly string[];
}

export const stories: Readonly<Record<string, Story>> = {
  good: {
    tells: "an order that is charged by card and shipped",
    order: (id) => makeOrder(id),
    isReviewed: false,
    state: Run_State.COMPLETED,
    done: ["Reserve", "Charge", "Label", "Ship"],
    undone: [],
    mayUndo: [],
  },
  reviewed: {
    tells: "an order by invoice, which waits for a review and is then shipped",
    order: (id) => ({ ...makeOrder(id, 5_000), pay_by_invoice: true }),
    isReviewed: true,
    state: Run_State.COMPLETED,
    done: ["Reserve", "Charge", "Label", "Ship"],
    undone: [],
    mayUndo: [],
  },
  moon: {
    tells: "an order to where no carrier goes: it is charged, then refused, and all is undone",
    order: (id) => ({ ...makeOrder(id), address: "Moon Base 1" }),
    isReviewed: false,
    state: Run_State.COMPENSATED,
    done: ["Reserve", "Charge", "Label"],
    undone: ["Refund", "Release"],
    mayUndo: ["Cancel"],
  },
};
