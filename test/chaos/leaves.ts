import { serviceNames } from "../support/orderServices.ts";
import type { OrderStack, Restartable } from "../support/orderStack.ts";
import { openTraffic } from "./traffic.ts";
import { findBreaches, journalsOf } from "./verify.ts";

export interface LeavesSettings {
  /** How often each leaves and comes back. */
  readonly rounds: number;
  /** Who does; all orchestrators and sidecars unless told. */
  readonly members?: readonly Restartable[];
  /** Runs in flight at any time. */
  readonly inFlight: number;
  readonly progress: (line: string) => void;
}

export interface LeavesReport {
  readonly orders: number;
  readonly left: number;
  /** Calls that a service was asked again with a key it knew. */
  readonly repeats: readonly string[];
  readonly breaches: readonly string[];
}

/** Sends orders while each member in turn is stopped by SIGTERM and comes back: nothing may be called twice. */
export async function runLeaves(stack: OrderStack, settings: LeavesSettings): Promise<LeavesReport> {
  const traffic = openTraffic(
    stack.orchestrators.map(({ address }) => address),
    settings.inFlight,
  );
  const members = settings.members ?? [...stack.orchestrators, ...serviceNames.map((name) => stack.sidecars[name])];
  let left = 0;
  for (let round = 0; round < settings.rounds; round++) {
    for (const member of members) {
      await traffic.untilMore(settings.inFlight);
      settings.progress(`${member.name} leaves (${traffic.orders().length} runs have ended)`);
      await member.restart();
      left += 1;
    }
  }
  await traffic.untilMore(settings.inFlight);
  const orders = await traffic.finish();
  const journals = journalsOf(stack);
  const repeats = serviceNames.flatMap((name) => journals[name].filter((it) => it.outcome === "repeat"));
  return {
    orders: orders.length,
    left,
    repeats: repeats.map((it) => `${it.method} of ${it.order}`),
    breaches: findBreaches(orders, journals),
  };
}
