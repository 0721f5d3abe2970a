import type { Schedule } from "../../../../proto/gen/sidestep/internal/v1/schedule.ts";
import { nextNominal } from "./calendar.ts";
import { toTimetable } from "./timetable.ts";

/** When the start of a nominal time is due: put off by up to the jitter, and never to the next one. The same for whoever asks, whenever. */
export function putOffMs({ id, cron }: Schedule, nominalMs: number): number {
  if (cron === undefined || cron.jitterMs === 0) return nominalMs;
  const next = nextNominal(toTimetable(cron), nominalMs) ?? Number.POSITIVE_INFINITY;
  const spanMs = Math.min(cron.jitterMs, next - nominalMs - 1);
  return nominalMs + Math.floor(fractionOf(`${id}/${nominalMs}`) * spanMs);
}

/** A fraction from 0 up to 1 that looks drawn: FNV-1a, mixed once more. */
function fractionOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) {
    hash ^= text.charCodeAt(at);
    hash = Math.imul(hash, 0x01000193);
  }
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  return (hash >>> 0) / 0x1_0000_0000;
}
