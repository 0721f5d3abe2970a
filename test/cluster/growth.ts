import type { PlacedOrder } from "../chaos/placedOrder.ts";

/** A server that was killed, stopped or restarted: when, and when all that it had led was led again. */
export interface Fault {
  readonly kind: string;
  readonly atMs: number;
  /** How long something was without a leader, or its leader stood still. */
  readonly outageMs: number;
  /** When one that was stopped went on. */
  readonly backMs?: number;
}

/** How much longer than undisturbed ones the orders took that were under way when a fault came. */
export interface Growth {
  readonly fault: Fault;
  readonly orders: number;
  readonly medianMs: number;
  readonly mostMs: number;
  /** Those that grew most, the slowest first. */
  readonly slowest: readonly PlacedOrder[];
  /** Of orders whose undoing waited for the end of an attempt; they don't count for the others. */
  readonly inDoubt: { readonly orders: number; readonly mostMs: number };
}

const slowestMax = 5;

/** The median of orders that no fault met: none began within so long behind one. */
export function undisturbedMs(orders: readonly PlacedOrder[], faults: readonly Fault[], settledMs = 12_000): number {
  const calm = orders.filter((order) =>
    faults.every(({ atMs }) => order.endedMs < atMs || order.startedMs > atMs + settledMs),
  );
  return median(calm.map(tookMs));
}

/** The growth of what was under way at the fault, or began while it lasted. `doubtful`: orders whose undoing waited for the end of an attempt. */
export function growthOf(
  fault: Fault,
  orders: readonly PlacedOrder[],
  usualMs: number,
  doubtful: ReadonlySet<string> = new Set(),
): Growth {
  const met = orders.filter(
    ({ startedMs, endedMs }) => startedMs <= fault.atMs + fault.outageMs && endedMs >= fault.atMs,
  );
  const isSure = ({ orderId }: PlacedOrder): boolean => !doubtful.has(orderId);
  const growth = (order: PlacedOrder): number => Math.max(0, tookMs(order) - usualMs);
  const sure = met.filter(isSure);
  const unsure = met.filter((order) => !isSure(order));
  const grown = sure.map(growth);
  return {
    fault,
    orders: sure.length,
    medianMs: median(grown),
    mostMs: Math.max(0, ...grown),
    slowest: sure.toSorted((a, b) => tookMs(b) - tookMs(a)).slice(0, slowestMax),
    inDoubt: { orders: unsure.length, mostMs: Math.max(0, ...unsure.map(growth)) },
  };
}

function tookMs({ startedMs, endedMs }: PlacedOrder): number {
  return endedMs - startedMs;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
