import { serviceNames } from "../support/orderServices.ts";
import type { OrderStack } from "../support/orderStack.ts";
import { kill } from "./kill.ts";
import { openPace } from "./pace.ts";
import type { Victim } from "./kill.ts";
import { shuffled, toRandom } from "./random.ts";
import { findRetentionBreaches, readStored } from "./retained.ts";
import { openTraffic } from "./traffic.ts";
import { findBreaches, journalsOf } from "./verify.ts";

export interface StormSettings {
  /** Kills of each of orchestrator, sidecar, service and nats-server. */
  readonly killsOfEach: number;
  /** Runs in flight at any time. */
  readonly inFlight: number;
  readonly seed: number;
  /** Of the orchestrators, if runs are to be deleted meanwhile: the kills are spread over longer than it. */
  readonly retentionMs?: number | undefined;
  readonly progress: (line: string) => void;
}

export interface StormReport {
  readonly orders: number;
  readonly declined: number;
  /** Runs that were deleted, as they should. */
  readonly deleted: number;
  readonly kills: Readonly<Record<string, number>>;
  /** Calls that a service was asked again with a key it knew. */
  readonly repeats: number;
  readonly breaches: readonly string[];
}

const victims: readonly Victim[] = ["orchestrator", "sidecar", "service", "nats-server"];

/** Sends orders while it kills one process after the other, then waits for every accepted run to end, and compares. */
export async function runStorm(stack: OrderStack, settings: StormSettings): Promise<StormReport> {
  const { retentionMs } = settings;
  const random = toRandom(settings.seed);
  const traffic = openTraffic(
    stack.orchestrators.slice(0, 1).map(({ address }) => address),
    settings.inFlight,
    retentionMs,
  );
  const kills: Record<string, number> = {};
  const plan = shuffled(
    victims.flatMap((it) => Array<Victim>(settings.killsOfEach).fill(it)),
    random,
  );
  const pace = openPace(plan.length, retentionMs);
  for (const victim of plan) {
    await pace.untilDue();
    await traffic.untilMore(1 + Math.floor(random() * 6));
    kills[victim] = (kills[victim] ?? 0) + 1;
    settings.progress(`kill -9 ${victim} (${traffic.orders().length} runs have ended)`);
    await kill(stack, victim, {
      service: serviceNames[Math.floor(random() * serviceNames.length)] ?? "inventory",
      orchestrator: Math.floor(random() * stack.orchestrators.length),
    });
  }
  await pace.untilCalm();
  await traffic.untilMore(settings.inFlight);
  const orders = await traffic.finish();
  const journals = journalsOf(stack);
  const unkept =
    retentionMs === undefined ? [] : findRetentionBreaches(orders, await readStored(stack.nats.url), retentionMs);
  return {
    orders: orders.length,
    declined: orders.filter((it) => it.isDeclined).length,
    deleted: orders.filter((it) => it.isDeleted).length,
    kills,
    repeats: serviceNames.reduce((sum, name) => sum + journals[name].filter((it) => it.outcome === "repeat").length, 0),
    breaches: [...findBreaches(orders, journals), ...unkept],
  };
}
