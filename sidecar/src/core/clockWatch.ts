import { clockError } from "./admission.ts";
import type { DeliveryAge } from "./admission.ts";

/** What waits while servers elect a leader comes late all at once. */
const lateForMs = 5_000;

/**
 * Tells once when this machine's clock is wrong. A message that comes before it was stored proves that ours runs behind; one that comes late may have
 * waited on its way, so that ours runs ahead is said only when every new one has come late for 5 s.
 */
export class ClockWatch {
  #isOver = false;
  #late: { readonly sinceMs: number; leastMs: number } | undefined;

  /** Says nothing any more. */
  stop(): void {
    this.#isOver = true;
  }

  /** A message has come: how far our clock is ahead of the server's, if that is to be told now; negative: behind. */
  take(age: DeliveryAge, storedAtMs: number, receivedAtMs: number): number | undefined {
    if (this.#isOver) return undefined;
    const aheadMs = clockError(age, storedAtMs, receivedAtMs);
    if (aheadMs === undefined) {
      if (age === "fresh") this.#late = undefined;
      return undefined;
    }
    this.#late ??= { sinceMs: receivedAtMs, leastMs: aheadMs };
    this.#late.leastMs = Math.min(this.#late.leastMs, aheadMs);
    if (aheadMs > 0 && receivedAtMs - this.#late.sinceMs < lateForMs) return undefined;
    this.#isOver = true;
    return this.#late.leastMs;
  }
}
