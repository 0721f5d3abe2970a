import { status } from "@grpc/grpc-js";
import { Run_State } from "../../proto/gen/sidestep/v1/run.ts";
import { makeOrder, openOrderClient } from "../support/orderClient.ts";
import type { OrderClient } from "../support/orderClient.ts";
import type { OrderStack } from "../support/orderStack.ts";
import { kill } from "./kill.ts";
import type { Victim } from "./kill.ts";
import { findBreaches } from "./verify.ts";
import type { OrderRecord } from "./verify.ts";

export interface StormSettings {
  /** Kills of each of orchestrator, sidecar, service and nats-server. */
  readonly killsOfEach: number;
  /** Runs in flight at any time. */
  readonly inFlight: number;
  readonly seed: number;
  readonly progress: (line: string) => void;
}

export interface StormReport {
  readonly orders: number;
  readonly declined: number;
  readonly kills: Readonly<Record<string, number>>;
  /** Calls that a service was asked again with a key it knew. */
  readonly repeats: number;
  readonly breaches: readonly string[];
}

const victims: readonly Victim[] = ["orchestrator", "sidecar", "service", "nats-server"];
const names = ["inventory", "payment", "shipping"] as const;

/** Sends orders while it kills one process after the other, then waits for every accepted run to end, and compares. */
export async function runStorm(stack: OrderStack, settings: StormSettings): Promise<StormReport> {
  const random = toRandom(settings.seed);
  const orchestrator = stack.orchestrators[0];
  if (orchestrator === undefined) throw new Error("the stack has no orchestrator");
  await using client = openOrderClient(orchestrator.address);
  const accepted = new Map<string, { readonly runId: string; readonly isDeclined: boolean }>();
  let ended = 0;
  let stopped = false;
  let count = 0;
  const progressed = new EventTarget();
  const loop = async (): Promise<void> => {
    while (!stopped) {
      const orderId = `o-${(count += 1)}`;
      const isDeclined = count % 4 === 0;
      const runId = await placeOrder(client, orderId, isDeclined);
      accepted.set(orderId, { runId, isDeclined });
      ended += 1;
      progressed.dispatchEvent(new Event("ended"));
    }
  };
  const loops = Array.from({ length: settings.inFlight }, loop);
  const kills: Record<string, number> = {};
  for (const victim of shuffled(
    victims.flatMap((it) => Array<Victim>(settings.killsOfEach).fill(it)),
    random,
  )) {
    await untilEnded(progressed, () => ended, ended + 1 + Math.floor(random() * 6));
    kills[victim] = (kills[victim] ?? 0) + 1;
    settings.progress(`kill -9 ${victim} (${ended} runs have ended)`);
    await kill(stack, victim, {
      service: names[Math.floor(random() * names.length)] ?? "inventory",
      orchestrator: Math.floor(random() * stack.orchestrators.length),
    });
  }
  await untilEnded(progressed, () => ended, ended + settings.inFlight);
  stopped = true;
  await Promise.all(loops);
  const orders: OrderRecord[] = [];
  for (const [orderId, { runId, isDeclined }] of accepted)
    orders.push(await recordOf(client, orderId, runId, isDeclined));
  const journals = {
    inventory: stack.services.inventory.journal(),
    payment: stack.services.payment.journal(),
    shipping: stack.services.shipping.journal(),
  };
  return {
    orders: orders.length,
    declined: orders.filter((it) => it.isDeclined).length,
    kills,
    repeats: names.reduce((sum, name) => sum + journals[name].filter((it) => it.outcome === "repeat").length, 0),
    breaches: findBreaches(orders, journals),
  };
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

async function recordOf(
  client: OrderClient,
  orderId: string,
  runId: string,
  isDeclined: boolean,
): Promise<OrderRecord> {
  const { run } = await client.get(runId);
  if (run === undefined || run.state === Run_State.RUNNING) throw new Error(`run ${runId} of ${orderId} has not ended`);
  const { events } = await client.history(runId);
  return { orderId, isDeclined, run, history: events };
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

function shuffled<T>(items: readonly T[], random: () => number): readonly T[] {
  return items
    .map((item) => ({ item, at: random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

/** mulberry32: one seed, one storm's plan. */
function toRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
