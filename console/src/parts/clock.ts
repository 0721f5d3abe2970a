import { useSyncExternalStore } from "react";

/** "850 ms", "4.2 s", "3 min 05 s", "2 h 10 min", "4 d 3 h". */
export function durationText(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  const pad = (value: number): string => String(value).padStart(2, "0");
  const seconds = Math.floor(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${pad(seconds % 60)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`;
  const hours = Math.floor(minutes / 60);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** "just now", "4 min ago", "in 2 h". */
export function relativeText(at: number, now: number): string {
  const distance = Math.abs(now - at);
  if (distance < 1500) return "just now";
  const text = coarse(distance);
  return at <= now ? `${text} ago` : `in ${text}`;
}

function coarse(ms: number): string {
  if (ms < 60_000) return `${Math.floor(ms / 1000)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min`;
  if (ms < 86_400_000) return `${Math.floor(ms / 3_600_000)} h`;
  return `${Math.floor(ms / 86_400_000)} d`;
}

/** "2026-11-29 12:03:04.123", in the reader's own zone. */
export function instantText(at: number): string {
  const shifted = new Date(at - new Date(at).getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, 23).replace("T", " ");
}

/** "12:03:04.123" */
export function timeOfDayText(at: number): string {
  return instantText(at).slice(11);
}

let shared = Date.now();
let ticking: ReturnType<typeof setInterval> | undefined;
const readers = new Set<() => void>();

function tick(): void {
  shared = Date.now();
  readers.forEach((changed) => changed());
}

/** One clock for all that show the time: they change together. */
function subscribe(changed: () => void): () => void {
  readers.add(changed);
  if (ticking === undefined) {
    shared = Date.now();
    ticking = setInterval(tick, 1000);
  }
  return () => {
    readers.delete(changed);
    if (readers.size > 0) return;
    clearInterval(ticking);
    ticking = undefined;
  };
}

const standing = (): (() => void) => () => undefined;

/** The time now, anew each second while `isTicking`. */
export function useNow(isTicking = true): number {
  return useSyncExternalStore(isTicking ? subscribe : standing, () => shared);
}
