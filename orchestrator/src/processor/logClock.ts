/** Estimates log time: the clock of the streams' leaders, which stamps what they store. */
export interface LogClock {
  /** A message that was stored just now, as far as one can know. */
  observe(storedMs: number): void;
  now(): number;
  /** How far log time is ahead of this machine's clock. */
  offsetMs(): number;
}

const windowMs = 10_000;
/** Less than this is the time that a message takes. */
const toleratedMs = 1000;

/**
 * Messages arrive after they were stored, so the greatest difference seen in a window is the nearest. `onSkew` is told of clocks that are
 * more than a second apart, again when they move.
 */
export function openLogClock(now: () => number, onSkew: (offsetMs: number) => void): LogClock {
  let offsetMs = 0;
  let toldMs = 0;
  let greatest = -Infinity;
  let windowEndMs = now() + windowMs;
  return {
    observe: (storedMs) => {
      const nowMs = now();
      greatest = Math.max(greatest, storedMs - nowMs);
      if (greatest > offsetMs) offsetMs = greatest;
      if (nowMs < windowEndMs) return;
      offsetMs = Math.abs(greatest) < toleratedMs ? 0 : greatest;
      if (Math.abs(offsetMs - toldMs) >= toleratedMs) {
        toldMs = offsetMs;
        onSkew(offsetMs);
      }
      greatest = -Infinity;
      windowEndMs = nowMs + windowMs;
    },
    now: () => now() + offsetMs,
    offsetMs: () => offsetMs,
  };
}
