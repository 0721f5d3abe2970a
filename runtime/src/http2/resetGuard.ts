import { errorCode, Http2Error } from "./wire/frame.ts";

/** A thousand callers may leave at once, a hundred a second for ever. */
const burst = 1_000;
const perSecond = 100;
/** One that was open for so long held a place all the while, and there are only so many: its caller's time may have run out. */
const rapidMs = 1_000;

/**
 * Bounds the requests that a client breaks off, or makes us break off: each costs it a few bytes and us the beginning of a call (CVE-2023-44487,
 * CVE-2025-8671). Unlike idle frames they are not made up for by calls that get on.
 */
export class ResetGuard {
  readonly #now: () => number;
  #left = burst;
  #sinceMs: number;

  constructor(now: () => number) {
    this.#now = now;
    this.#sinceMs = now();
  }

  /** One more was broken off, that began then; without a time it counts however long it was open. Throws `Http2Error` when there are too many. */
  take(beganMs?: number): void {
    if (beganMs !== undefined && this.#now() - beganMs >= rapidMs) return;
    this.#left -= 1;
    if (this.#left >= 0) return;
    const now = this.#now();
    this.#left = Math.min(burst, Math.floor(((now - this.#sinceMs) / 1_000) * perSecond)) - 1;
    this.#sinceMs = now;
    if (this.#left < 0)
      throw new Http2Error(errorCode.ENHANCE_YOUR_CALM, `more than ${perSecond} requests a second are broken off`);
  }
}
