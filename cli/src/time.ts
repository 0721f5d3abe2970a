import type { Timestamp } from "../../proto/gen/google/protobuf/timestamp.ts";

/** Milliseconds since 1970, with fraction. */
export function toMs(time: Timestamp): number {
  return Number(time.seconds) * 1000 + time.nanos / 1e6;
}

/** "2026-11-21T08:25:35.120Z", or empty. */
export function timeText(time: Timestamp | undefined): string {
  return time === undefined ? "" : new Date(toMs(time)).toISOString();
}

/** "3.4 s ago", "in 5 m 20 s", or empty. */
export function relativeText(time: Timestamp | undefined, nowMs: number): string {
  if (time === undefined) return "";
  const ms = nowMs - toMs(time);
  return ms < 0 ? `in ${durationText(-ms)}` : `${durationText(ms)} ago`;
}

/** "12 ms", "3.4 s", "5 m 20 s", "2 h 3 m", "3 d 4 h". */
export function durationText(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${seconds % 60} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${minutes % 60} m`;
  const hours = Math.round(minutes / 60);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** A duration as flags take it ("500ms", "30s", "5m", "2h", "7d") in milliseconds; undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text);
  const units = new Map([
    ["ms", 1],
    ["s", 1000],
    ["m", 60_000],
    ["h", 3_600_000],
    ["d", 86_400_000],
  ]);
  const unit = units.get(match?.[2] ?? "");
  return unit === undefined ? undefined : Number(match?.[1]) * unit;
}
