import type { Json } from "../api/json.ts";

/** Nominal times, as a person gives them. */
export interface Times {
  readonly kind: "calendar" | "interval";
  readonly line: string;
  readonly timeZone: string;
  readonly every: string;
  readonly phase: string;
  readonly overlap: string;
}

/** What becomes of a start while the run before it goes on, by sidestep.v1.Overlap.Policy. */
export const overlaps = [
  ["SKIP", "leave the start out"],
  ["BUFFER_ONE", "start when it has ended, one at most"],
  ["ALLOW", "start beside it"],
  ["CANCEL_OTHER", "cancel it, and start then"],
] as const;

/** A sidestep.v1.Cron, of what is chosen alone. */
export function cronOf({ kind, line, timeZone, every, phase, overlap }: Times): Json {
  return kind === "calendar" ? { line, timeZone, overlap } : { every, phase, overlap };
}
