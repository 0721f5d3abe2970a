import assert from "node:assert/strict";
import { HistoryEvent_Kind } from "../../proto/gen/sidestep/v1/run.ts";
import type { HistoryEvent } from "../../proto/gen/sidestep/v1/run.ts";
import { openNats } from "../../runtime/src/natsConnection.ts";
import type { Nats as Connection } from "../../runtime/src/natsConnection.ts";
import { pause } from "../../runtime/src/pause.ts";
import { shuffled } from "../chaos/random.ts";
import { openTraffic } from "../chaos/traffic.ts";
import type { PlacedOrder } from "../chaos/placedOrder.ts";
import type { Traffic } from "../chaos/traffic.ts";
import { findBreaches, journalsOf } from "../chaos/verify.ts";
import { natsSettingsFor, silent } from "../support/connectTo.ts";
import type { Nats } from "../support/nats.ts";
import { startOrderStack } from "../support/orderStack.ts";
import type { OrderStack } from "../support/orderStack.ts";
import { inflict, leaderOfTarget, targets } from "./faults.ts";
import type { FaultKind } from "./faults.ts";
import { growthOf, undisturbedMs } from "./growth.ts";
import type { Fault, Growth } from "./growth.ts";
import { electedSince, parseElections, untilLevel, utcLog } from "./leaders.ts";

/** What came of faults under a load of orders. */
export interface Outcome {
  readonly orders: number;
  /** The median of what no fault met. */
  readonly usualMs: number;
  readonly growths: readonly Growth[];
  readonly breaches: readonly string[];
}

export interface SceneOptions {
  readonly inFlight: number;
  readonly random: () => number;
  /** The orchestrators where orders come in, by number; all unless told. */
  readonly doors?: readonly number[];
  /** Folder for the logs of orchestrators and sidecars. */
  readonly logs?: string | undefined;
  readonly progress: (line: string) => void;
}

type Stage = {
  readonly stack: OrderStack;
  readonly servers: readonly Nats[];
  readonly admin: Connection;
  readonly traffic: Traffic;
};

/** So many kills and stops, one after the other, each of the leader of something else. */
export function playFaults(counts: Readonly<Record<FaultKind, number>>, options: SceneOptions): Promise<Outcome> {
  const { random, progress } = options;
  return onStage(options, async ({ servers, admin }, settle) => {
    const kinds = (Object.keys(counts) as FaultKind[]).flatMap((kind) => Array<FaultKind>(counts[kind]).fill(kind));
    for (const [i, kind] of shuffled(kinds, random).entries()) {
      const target = targets[i % targets.length] ?? "log";
      const server = await leaderOfTarget(servers, admin, target, random);
      const fault = await inflict(servers, server, kind);
      progress(`${kind} of n${server}, which led ${target}: ${fault.outageMs} ms until all of it was led again`);
      await settle(fault);
    }
  });
}

/** All servers killed at once, and started again two seconds later. */
export function playAllKilled(times: number, options: SceneOptions): Promise<Outcome> {
  return onStage(options, async ({ servers }, settle) => {
    for (let i = 0; i < times; i++) {
      const atMs = Date.now();
      await Promise.all(servers.map((it) => it.kill9()));
      await pause(2_000);
      await Promise.all(servers.map((it) => it.restart()));
      await settle(undefined);
      const elected = servers.flatMap((it) => parseElections(it.lines())).map((it) => it.atMs);
      const fault = { kind: "all", atMs, outageMs: Math.max(...elected) - atMs };
      options.progress(`all three killed: ${fault.outageMs} ms until all was led again`);
      await settle(fault);
    }
  });
}

/** Each server is stopped and started again, one after the other, as an upgrade does it: by SIGTERM, then in lame duck mode. */
export function playRolling(options: SceneOptions): Promise<Outcome> {
  return onStage(options, async ({ servers }, settle) => {
    for (const kind of ["SIGTERM", "lame duck"] as const) {
      for (const [index, server] of servers.entries()) {
        const fault = { kind, atMs: Date.now(), outageMs: 0 };
        await (kind === "SIGTERM" ? server.stop() : server.retire());
        await server.restart();
        options.progress(`n${index} stopped (${kind}) and started again within ${Date.now() - fault.atMs} ms`);
        await settle(fault);
      }
    }
  });
}

/** A machine with a server and the orchestrator that owns the partitions, dead for ten seconds; orders come in by the other orchestrator. */
export function playMachine(times: number, options: SceneOptions): Promise<Outcome> {
  return onStage({ ...options, doors: [1] }, async ({ stack, servers, admin, traffic }, settle) => {
    const [owner, other] = stack.orchestrators;
    assert(owner !== undefined && other !== undefined);
    for (let i = 0; i < times; i++) {
      const server = await leaderOfTarget(servers, admin, "log", options.random);
      const [fault] = await Promise.all([inflict(servers, server, "kill", deadMs), owner.crash(deadMs)]);
      options.progress(
        `n${server} and ${owner.name} dead: ${fault.outageMs} ms until all that n${server} led was led again`,
      );
      await settle({ ...fault, kind: "machine" });
      // It gives the partitions back, and orders come in again.
      await other.restart();
      await traffic.untilMore(3 * options.inFlight);
    }
  });
}

const deadMs = 10_000;
const partitionsSettledMs = 5_000;

/** The order example on three servers with two orchestrators and orders under way; what it came to, judged by the services' journals. */
async function onStage(
  { inFlight, progress, logs, doors }: SceneOptions,
  play: (stage: Stage, settle: (fault: Fault | undefined) => Promise<void>) => Promise<void>,
): Promise<Outcome> {
  await using stack = await startOrderStack({
    servers: 3,
    orchestrators: 2,
    natsConfiguration: `${utcLog}\nlame_duck_grace_period: "1s"\nlame_duck_duration: "30s"`,
    ...(logs === undefined ? {} : { logs }),
    serviceEnv: { shipping: { SHIP_DELAY_MS: "100" } },
  });
  for (const { name, program } of stack.orchestrators) {
    const line = await program().waitForLine(/streams are kept on several nodes/);
    progress(`${name}: ${line}`);
  }
  const { servers } = stack;
  const settings = { ...natsSettingsFor(""), natsUrl: servers.map(({ url }) => url) };
  await using admin = await openNats(settings, { name: "judge", log: silent, signal: AbortSignal.timeout(60_000) });
  await untilLevel(admin);
  const traffic = openTraffic(
    stack.orchestrators.filter((_, number) => doors?.includes(number) !== false).map(({ address }) => address),
    inFlight,
  );
  await traffic.untilMore(3 * inFlight);
  const faults: Fault[] = [];
  const settle = async (fault: Fault | undefined): Promise<void> => {
    await untilLevel(admin);
    if (fault === undefined) return;
    await untilNoneIsFrom(traffic, fault.atMs + fault.outageMs);
    await pause(partitionsSettledMs);
    const { kind, backMs } = fault;
    // One that goes on may bring about elections among those that have been led by others meanwhile.
    const againMs = backMs === undefined ? undefined : electedSince(servers, backMs);
    if (backMs !== undefined && againMs !== undefined)
      await tell({ kind: `${kind}, back`, atMs: backMs, outageMs: againMs - backMs });
    await tell(fault);
  };
  const tell = async (fault: Fault): Promise<void> => {
    faults.push(fault);
    const { orders, mostMs, medianMs, slowest } = growthOf(
      fault,
      traffic.orders(),
      undisturbedMs(traffic.orders(), faults),
    );
    progress(
      `  ${fault.kind}, ${fault.outageMs} ms: ${orders} orders met it and took up to ${Math.round(mostMs)} ms longer, half of them ${Math.round(medianMs)} ms or less`,
    );
    if (mostMs <= fault.outageMs + 1_000) return;
    for (const order of slowest) {
      const history = await traffic.history(order.runId);
      progress(`  ${toTimeline(order, history, fault.atMs)}`);
      if (!history.some(isExpiry)) break;
    }
  };
  await play({ stack, servers, admin, traffic }, settle);
  await traffic.untilMore(inFlight);
  const records = await traffic.finish();
  const placed: readonly PlacedOrder[] = traffic.orders();
  const usualMs = undisturbedMs(placed, faults);
  const waited = records.filter(({ history }) => history.some(isExpiry));
  const doubtful = new Set(waited.map(({ orderId }) => orderId));
  return {
    orders: placed.length,
    usualMs,
    growths: faults.map((fault) => growthOf(fault, placed, usualMs, doubtful)),
    breaches: findBreaches(records, journalsOf(stack)),
  };
}

function isExpiry({ kind }: HistoryEvent): boolean {
  return kind === HistoryEvent_Kind.ATTEMPT_EXPIRED;
}

const kindNames = new Map<number, string>(Object.entries(HistoryEvent_Kind).map(([name, kind]) => [kind, name]));

/** When each event was stored, in milliseconds from the fault on: where the time of an order went. */
function toTimeline(order: PlacedOrder, events: readonly HistoryEvent[], faultMs: number): string {
  const at = (timeMs: number): string => `${Math.round(timeMs - faultMs)}`;
  const told = events.map(({ kind, step, attempt, time }) => {
    const storedMs = Number(time?.seconds ?? 0) * 1_000 + (time?.nanos ?? 0) / 1e6;
    return `${at(storedMs)} ${kindNames.get(kind)} ${step}${attempt > 1 ? ` (${attempt})` : ""}`;
  });
  return [`${at(order.startedMs)} placed`, ...told, `${at(order.endedMs)} answered`].join(", ");
}

/** Resolves when no order is under way that was placed before this moment. */
async function untilNoneIsFrom(traffic: Traffic, atMs: number): Promise<void> {
  for (const until = Date.now() + 90_000; Date.now() < until; await pause(100))
    if (traffic.underWay().every((startedMs) => startedMs > atMs)) return;
  throw new Error("orders are still under way 90 s after a fault");
}
