import type { Turns } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import type { Limit, Rate } from "./limit.ts";

/** A turn that is not taken by then is lost: calls that begin late would come too close to the next ones. */
export const latenessMs = 20;

/** Turns further ahead are not given out, so that a sidecar that dies takes few with it. */
const horizonMs = 1_000;
/** A record further ahead than that was written under another clock. */
const clockErrorMs = 5_000;

export type Taken =
  /** Log times at which one call each may begin, once `record` is durable. */
  | { readonly kind: "turns"; readonly turns: readonly number[]; readonly record: Turns }
  /** The next turn is too far ahead. */
  | { readonly kind: "wait"; readonly ms: number };

/**
 * Time between two turns. Calls begin up to `latenessMs` behind their turn; so that no span of `perMs` sees more than one call over the rate,
 * turns of fast rates stand a little further apart.
 */
export function spacingOf({ calls, perMs }: Rate): number {
  return Math.max(perMs / calls, (perMs + latenessMs) / (calls + 1));
}

/** Of the turns that nobody has, the next ones, up to `count`. Turns that were not asked for in time are nobody's: there are no bursts. */
export function takeTurns(
  record: Turns | undefined,
  { rate, sinceMs }: Pick<Limit, "rate" | "sinceMs">,
  count: number,
  nowMs: number,
): Taken {
  if (rate === undefined) return { kind: "wait", ms: horizonMs };
  const spacing = spacingOf(rate);
  const isOurs = record?.limitMs === sinceMs && record.lastMs < nowMs + horizonMs + clockErrorMs;
  const first = isOurs ? Math.max(record.lastMs + spacing, nowMs) : nowMs;
  if (first > nowMs + horizonMs) return { kind: "wait", ms: first - nowMs - horizonMs };
  const many = Math.min(count, 1 + Math.floor((nowMs + horizonMs - first) / spacing));
  const turns = Array.from({ length: many }, (_, index) => first + index * spacing);
  return { kind: "turns", turns, record: { limitMs: sinceMs, lastMs: turns.at(-1) ?? first } };
}
