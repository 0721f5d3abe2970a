import { serviceNames } from "../support/orderServices.ts";
import type { OrderStack, Restartable } from "../support/orderStack.ts";
import { openPace } from "./pace.ts";
import { findRetentionBreaches, readStored } from "./retained.ts";
import { openTraffic } from "./traffic.ts";
import { findBreaches, journalsOf } from "./verify.ts";

export interface LeavesSettings {
  /** How often each leaves and comes back. */
  readonly rounds: number;
  /** Who does; all orchestrators and sidecars unless told. */
  readonly members?: readonly Restartable[];
  /** Runs in flight at any time. */
  readonly inFlight: number;
  /** Of the orchestrators, if runs are to be deleted meanwhile: the leaves are spread over longer than it. */
  readonly retentionMs?: number | undefined;
  readonly progress: (line: string) => void;
}

export interface LeavesReport {
  readonly orders: number;
  readonly left: number;
  /** Runs that were deleted, as they should. */
  readonly deleted: number;
  /** Calls that a service was asked again with a key it knew. */
  readonly repeats: readonly string[];
  readonly breaches: readonly string[];
}

/** Sends orders while each member in turn is stopped by SIGTERM and comes back: nothing may be called twice. */
export async function runLeaves(stack: OrderStack, settings: LeavesSettings): Promise<LeavesReport> {
  const { retentionMs } = settings;
  const traffic = openTraffic(
    stack.orchestrators.map(({ address }) => address),
    settings.inFlight,
    retentionMs,
  );
  const members = settings.members ?? [...stack.orchestrators, ...serviceNames.map((name) => stack.sidecars[name])];
  const pace = openPace(settings.rounds * members.length, retentionMs);
  let left = 0;
  for (let round = 0; round < settings.rounds; round++) {
    for (const member of members) {
      await pace.untilDue();
      await traffic.untilMore(settings.inFlight);
      settings.progress(`${member.name} leaves (${traffic.orders().length} runs have ended)`);
      await member.restart();
      left += 1;
    }
  }
  await pace.untilCalm();
  await traffic.untilMore(settings.inFlight);
  const orders = await traffic.finish();
  const journals = journalsOf(stack);
  const unkept =
    retentionMs === undefined ? [] : findRetentionBreaches(orders, await readStored(stack.nats.url), retentionMs);
  const repeats = serviceNames.flatMap((name) => journals[name].filter((it) => it.outcome === "repeat"));
  return {
    orders: orders.length,
    left,
    deleted: orders.filter((it) => it.isDeleted).length,
    repeats: repeats.map((it) => `${it.method} of ${it.order}`),
    breaches: [...findBreaches(orders, journals), ...unkept],
  };
}
