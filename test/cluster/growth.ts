import type { PlacedOrder } from "../chaos/traffic.ts";

/** A server that was killed, stopped or restarted: when, and when all that it had led was led again. */
export interface Fault {
  readonly kind: string;
  readonly atMs: number;
  /** How long something was without a leader, or its leader stood still. */
  readonly outageMs: number;
}

/** How much longer than undisturbed ones the orders took that were under way when a fault came. */
export interface Growth {
  readonly fault: Fault;
  readonly orders: number;
  readonly medianMs: number;
  readonly mostMs: number;
  /** The run that grew most. */
  readonly slowest: PlacedOrder | undefined;
}

/** The median of orders that no fault met: none began within so long behind one. */
export function undisturbedMs(orders: readonly PlacedOrder[], faults: readonly Fault[], settledMs = 12_000): number {
  const calm = orders.filter((order) =>
    faults.every(({ atMs }) => order.endedMs < atMs || order.startedMs > atMs + settledMs),
  );
  return median(calm.map(tookMs));
}

/** The growth of what was under way at the fault, or began while it lasted. */
export function growthOf(fault: Fault, orders: readonly PlacedOrder[], usualMs: number): Growth {
  const met = orders.filter(
    ({ startedMs, endedMs }) => startedMs <= fault.atMs + fault.outageMs && endedMs >= fault.atMs,
  );
  const grown = met.map((order) => Math.max(0, tookMs(order) - usualMs));
  const slowest = met.toSorted((a, b) => tookMs(b) - tookMs(a))[0];
  return { fault, orders: met.length, medianMs: median(grown), mostMs: Math.max(0, ...grown), slowest };
}

function tookMs({ startedMs, endedMs }: PlacedOrder): number {
  return endedMs - startedMs;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
