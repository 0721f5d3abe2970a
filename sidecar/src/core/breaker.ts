import type { Ending } from "./ending.ts";

/** When the calls of a method are held back, and for how long. */
export type BreakerBounds = {
  /** Opens when at least this share of the calls fails, in percent; 0: never. */
  readonly percent: number;
  /** When so many in a row fail, or the share of five times as many within the window: fewer may be chance. */
  readonly callsMin: number;
  /** The longest pause between two probes. */
  readonly pauseMaxMs: number;
};

/** What is known of the calls of a method. Changed in place: each call of the sidecar passes here. */
export type Breaker = {
  kind: "closed" | "open" | "probing";
  /** Calls and failures by part of the window, and which part of time each of them is of. */
  readonly calls: number[];
  readonly failures: number[];
  readonly parts: number[];
  /** Nothing begins before, while it is open. */
  untilMs: number;
  /** How often in a row a probe has failed; half of it is left when one is answered, for as long as the window. */
  pauses: number;
  /** Failures since the last success. */
  inARow: number;
  closedAtMs: number;
  lastSuccessMs: number;
};

/** Who comes before a call that may not begin is told how long to stay away. */
export type Admitted = { readonly kind: "run" | "probe" } | { readonly kind: "rest"; readonly ms: number };

/** How a call ended, as far as it says something of its target. */
export type Sign = "success" | "failure" | "none";

const partMs = 1_000;
const partsKept = 10;
const longAgo = -partsKept;
const shareOf = 5;
const pauseFirstMs = 1_000;
/** About what a probe takes. */
const probingRestMs = 1_000;

/** Of a method that has not been called yet. */
export function newBreaker(): Breaker {
  const zeros = (): number[] => Array<number>(partsKept).fill(0);
  return {
    kind: "closed",
    calls: zeros(),
    failures: zeros(),
    parts: Array<number>(partsKept).fill(longAgo),
    untilMs: 0,
    pauses: 0,
    inARow: 0,
    closedAtMs: -Infinity,
    lastSuccessMs: -Infinity,
  };
}

/**
 * What a call says of its target: that it is away, overloaded or does not answer in time is a failure, every other status an answer like
 * any other. What was not sent, or was reset from here, says nothing.
 */
export function signOf(ending: Ending): Sign {
  if (ending.kind === "answered") return "success";
  const { code, origin, sent } = ending;
  if (origin === "service") return troubles.has(code) || code === exhausted ? "failure" : "success";
  // Too large an answer is told as the transport's RESOURCE_EXHAUSTED, and a call that was reset as its CANCELLED.
  return sent && troubles.has(code) ? "failure" : "none";
}

const exhausted = 8;
/** DEADLINE_EXCEEDED, UNAVAILABLE. */
const troubles: ReadonlySet<number> = new Set([4, 14]);

/** May a call begin now? Of those that come once a pause is over, one: the probe. `chance` is from 0 to 1, and spreads who comes back. */
export function admitCall(breaker: Breaker, nowMs: number, chance: number): Admitted {
  switch (breaker.kind) {
    case "closed":
      return running;
    case "open":
      if (nowMs >= breaker.untilMs) {
        breaker.kind = "probing";
        return probing;
      }
      return { kind: "rest", ms: restMs(breaker.untilMs - nowMs, chance) };
    case "probing":
      return { kind: "rest", ms: restMs(probingRestMs, chance) };
  }
}

/** Until the probe is back, and not all together. */
function restMs(leftMs: number, chance: number): number {
  return leftMs + (leftMs / 2 + probingRestMs) * chance;
}

const running: Admitted = { kind: "run" };
const probing: Admitted = { kind: "probe" };

/** Takes in how a call ended. True when the breaker has opened or closed by it. */
export function noteCall(breaker: Breaker, sign: Sign, bounds: BreakerBounds, nowMs: number, chance: number): boolean {
  if (sign === "none") return false;
  if (sign === "success") breaker.lastSuccessMs = nowMs;
  breaker.inARow = sign === "success" ? 0 : breaker.inARow + 1;
  switch (breaker.kind) {
    case "closed":
      count(breaker, sign, nowMs);
      if (sign === "success" || !isTooMuch(breaker, bounds, nowMs)) return false;
      open(breaker, bounds, nowMs, nowMs - breaker.closedAtMs < windowMs ? breaker.pauses : 0, chance);
      return true;
    case "probing":
      if (sign === "failure") {
        open(breaker, bounds, nowMs, breaker.pauses + 1, chance);
        return false;
      }
      breaker.kind = "closed";
      breaker.closedAtMs = nowMs;
      breaker.pauses = Math.floor(breaker.pauses / 2);
      breaker.parts.fill(longAgo);
      return true;
    case "open":
      // It began before; a success that late does not say that all is well.
      return false;
  }
}

/** The probe was given back without a call: another one may go at once. */
export function probeLost(breaker: Breaker): void {
  if (breaker.kind === "probing") breaker.kind = "open";
}

/** How long what was counted is looked at. */
export const windowMs = partMs * partsKept;

function open(breaker: Breaker, bounds: BreakerBounds, nowMs: number, pauses: number, chance: number): void {
  const pauseMs = Math.min(pauseFirstMs * 2 ** Math.min(pauses, 20), bounds.pauseMaxMs);
  breaker.kind = "open";
  breaker.pauses = pauses;
  // Sidecars of one service do not probe together.
  breaker.untilMs = nowMs + pauseMs * (0.5 + chance / 2);
}

function count(breaker: Breaker, sign: Sign, nowMs: number): void {
  const part = Math.floor(nowMs / partMs);
  const at = part % partsKept;
  const isSame = breaker.parts[at] === part;
  breaker.parts[at] = part;
  breaker.calls[at] = (isSame ? (breaker.calls[at] ?? 0) : 0) + 1;
  breaker.failures[at] = (isSame ? (breaker.failures[at] ?? 0) : 0) + (sign === "failure" ? 1 : 0);
}

function isTooMuch(breaker: Breaker, { percent, callsMin }: BreakerBounds, nowMs: number): boolean {
  if (percent === 0) return false;
  // One that was called often has many successes in its window: it is noticed at once that there are none any more.
  if (breaker.inARow >= callsMin) return true;
  const oldest = Math.floor(nowMs / partMs) - partsKept;
  let calls = 0;
  let failures = 0;
  for (const [at, part] of breaker.parts.entries()) {
    if (part <= oldest) continue;
    calls += breaker.calls[at] ?? 0;
    failures += breaker.failures[at] ?? 0;
  }
  return calls >= callsMin * shareOf && failures * 100 >= percent * calls;
}
