import { status } from "@grpc/grpc-js";
import { Run_State } from "../../proto/gen/sidestep/v1/run.ts";
import type { HistoryEvent } from "../../proto/gen/sidestep/v1/run.ts";
import { makeOrder, openOrderClient } from "../support/orderClient.ts";
import type { OrderClient } from "../support/orderClient.ts";
import { openNotes } from "./notes.ts";
import type { PlacedOrder } from "./placedOrder.ts";
import type { OrderRecord } from "./verify.ts";

/** Orders that go through while something else happens; every fourth is declined and undone. */
export interface Traffic {
  /** Those answered so far. */
  readonly orders: () => readonly PlacedOrder[];
  /** Resolves when so many more have been answered; one that stands still for two minutes has failed. */
  readonly untilMore: (count: number) => Promise<void>;
  /** When each that is under way was placed. */
  readonly underWay: () => readonly number[];
  /** The history of a run. */
  readonly history: (runId: string) => Promise<readonly HistoryEvent[]>;
  /** Places no more, and waits for the last; what the runs then say of themselves, and all of their history. */
  readonly finish: () => Promise<readonly OrderRecord[]>;
}

/** Keeps `inFlight` orders going, spread over the front doors at these addresses. `retentionMs`: after which their runs are deleted, if that is meanwhile. */
export function openTraffic(addresses: readonly string[], inFlight: number, retentionMs = Infinity): Traffic {
  const clients = addresses.map(openOrderClient);
  const orders: PlacedOrder[] = [];
  const open = new Set<{ readonly startedMs: number }>();
  const progressed = new EventTarget();
  let isStopped = false;
  let count = 0;
  const loop = async (_: unknown, hand: number): Promise<void> => {
    const client = clients[hand % clients.length];
    if (client === undefined) throw new Error("nowhere to place orders");
    while (!isStopped) {
      const orderId = `o-${(count += 1)}`;
      const isDeclined = count % 4 === 0;
      const order = { orderId, isDeclined, startedMs: Date.now() };
      open.add(order);
      const runId = await placeOrder(client, orderId, isDeclined);
      open.delete(order);
      orders.push({ ...order, runId, endedMs: Date.now() });
      progressed.dispatchEvent(new Event("ended"));
    }
  };
  const loops = Promise.all(Array.from({ length: inFlight }, loop));
  const notes = openNotes(orders, { read: (order) => recordOf(clients, order) }, retentionMs);
  return {
    orders: () => orders,
    underWay: () => [...open].map(({ startedMs }) => startedMs),
    untilMore: (more) =>
      Promise.race([untilEnded(progressed, () => orders.length, orders.length + more), never(loops)]),
    history: async (runId) => (await clients[0]?.history(runId))?.events ?? [],
    finish: async () => {
      isStopped = true;
      await loops;
      const records = await notes.finish();
      for (const client of clients) await client[Symbol.asyncDispose]();
      return records;
    },
  };
}

/** Rejects when `promise` does, and never resolves. */
async function never(promise: Promise<unknown>): Promise<never> {
  await promise;
  return new Promise<never>(() => undefined);
}

/** Calls until the run has answered, as a patient client does: the order's id is the key, so every call is the same run. */
async function placeOrder(client: OrderClient, orderId: string, isDeclined: boolean): Promise<string> {
  const order = makeOrder(orderId, isDeclined ? 5000 : 120);
  let runId = "";
  for (;;) {
    const answer = await client.fulfil(order, 30_000);
    if (answer.runId !== "") {
      if (runId !== "" && runId !== answer.runId)
        throw new Error(`order ${orderId} has two runs: ${runId}, ${answer.runId}`);
      runId = answer.runId;
    }
    if (answer.kind === "ok") return runId;
    if (isDeclined && answer.error.code === status.FAILED_PRECONDITION) return runId;
    const isTransient =
      answer.error.code === status.UNAVAILABLE ||
      answer.error.code === status.DEADLINE_EXCEEDED ||
      answer.error.code === status.CANCELLED ||
      answer.error.code === status.RESOURCE_EXHAUSTED;
    if (!isTransient) throw answer.error;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function recordOf(clients: readonly OrderClient[], order: PlacedOrder): Promise<OrderRecord> {
  const { orderId, runId, isDeclined } = order;
  const [client] = clients;
  if (client === undefined) throw new Error("nobody to ask");
  const { run } = await client.get(runId);
  if (run === undefined || run.state === Run_State.RUNNING) throw new Error(`run ${runId} of ${orderId} has not ended`);
  const { events } = await client.history(runId);
  return { orderId, isDeclined, run, history: events, isDeleted: false, lookedMs: Date.now() };
}

/** Resolves when `ended` has reached `goal`; a storm that stands still for two minutes has failed. */
function untilEnded(progressed: EventTarget, ended: () => number, goal: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let timer = setTimeout(stuck, 120_000);
    const look = (): void => {
      clearTimeout(timer);
      timer = setTimeout(stuck, 120_000);
      if (ended() < goal) return;
      clearTimeout(timer);
      progressed.removeEventListener("ended", look);
      resolve();
    };
    function stuck(): void {
      progressed.removeEventListener("ended", look);
      reject(new Error(`no run has ended for two minutes; ${ended()} have, ${goal} were awaited`));
    }
    progressed.addEventListener("ended", look);
    look();
  });
}
