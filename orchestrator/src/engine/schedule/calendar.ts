import { inNamedZone } from "../expression/zone.ts";
import type { CronLine } from "./cronLine.ts";

/** What gives nominal times: in milliseconds since 1970. */
export type Timetable =
  | { readonly kind: "line"; readonly line: CronLine; readonly zone: string }
  /** Multiples of `everyMs`, put off by `phaseMs`. */
  | { readonly kind: "interval"; readonly everyMs: number; readonly phaseMs: number };

const minuteMs = 60_000;
const dayMs = 86_400_000;
/** No zone is further from UTC. */
const offsetMaxMs = 15 * 3_600_000;
/** 29 February may be a day of the week only each 40 years. */
const daysAhead = 41 * 366;

/**
 * The first nominal time after `afterMs`; undefined: none in the next forty years.
 *
 * Where clocks change, a line whose hour is a star goes on with the clock: a time that doesn't exist is left out, one that exists twice comes
 * twice. Any other line names times of day: one that doesn't exist comes at the change, one that exists twice comes the first time.
 */
export function nextNominal(timetable: Timetable, afterMs: number): number | undefined {
  switch (timetable.kind) {
    case "interval": {
      const { everyMs, phaseMs } = timetable;
      return (Math.floor((afterMs - phaseMs) / everyMs) + 1) * everyMs + phaseMs;
    }
    case "line":
      return nextOfLine(timetable.line, timetable.zone, afterMs);
  }
}

/** The nominal times from `fromMs` on and before `untilMs`, `max` at most. */
export function nominalTimes(timetable: Timetable, fromMs: number, untilMs: number, max: number): readonly number[] {
  const times: number[] = [];
  let at = nextNominal(timetable, fromMs - 1);
  while (at !== undefined && at < untilMs && times.length < max) {
    times.push(at);
    at = nextNominal(timetable, at);
  }
  return times;
}

function nextOfLine(line: CronLine, zone: string, afterMs: number): number | undefined {
  // The date there, as midnight in UTC. A change of clocks may put a time of the day before behind it.
  const first = Math.floor((afterMs + offsetAt(afterMs, zone)) / dayMs) * dayMs - dayMs;
  for (let ahead = 0; ahead < daysAhead; ahead++) {
    const date = first + ahead * dayMs;
    if (!isNamed(line, new Date(date))) continue;
    const change = changeAround(zone, date);
    if (change.atMs === undefined) {
      const found = ahead === 0 ? undefined : nextOfPlainDay(line, date, change.beforeMs, afterMs);
      if (found !== undefined) return found;
      continue;
    }
    const found = nextOfChangedDay(line, change, date, afterMs);
    if (found === undefined) continue;
    // Clocks put back over midnight show the next day for a while, and then this one again.
    const next = date + dayMs;
    const isNext = isNamed(line, new Date(next));
    const later = isNext ? nextOfChangedDay(line, changeAround(zone, next), next, afterMs) : undefined;
    return later === undefined ? found : Math.min(found, later);
  }
  return undefined;
}

function isNamed(line: CronLine, date: Date): boolean {
  if (!line.months.includes(date.getUTCMonth() + 1)) return false;
  const isDay = line.days.includes(date.getUTCDate());
  const isWeekday = line.weekdays.includes(date.getUTCDay());
  return line.fitsEitherDay ? isDay || isWeekday : isDay && isWeekday;
}

/** The first of the day `date` (its midnight as if in UTC) after `afterMs`, where no clock changes. */
function nextOfPlainDay(
  { hours, minutes }: CronLine,
  date: number,
  offsetMs: number,
  afterMs: number,
): number | undefined {
  const least = Math.floor((afterMs + offsetMs - date) / minuteMs) + 1;
  for (const hour of hours) {
    if (hour * 60 + 59 < least) continue;
    for (const minute of minutes) {
      if (hour * 60 + minute >= least) return date - offsetMs + (hour * 60 + minute) * minuteMs;
    }
  }
  return undefined;
}

/** The same, where one may. */
function nextOfChangedDay(line: CronLine, change: Change, date: number, afterMs: number): number | undefined {
  let best: number | undefined;
  for (const hour of line.hours) {
    for (const minute of line.minutes) {
      const local = date + (hour * 60 + minute) * minuteMs;
      for (const at of momentsOf(local, change, line.isHourOpen)) {
        if (at > afterMs && (best === undefined || at < best)) best = at;
      }
    }
  }
  return best;
}

/** The clocks around a day: their offset before and, from `atMs` on, after a change; undefined: there is none. */
interface Change {
  readonly atMs: number | undefined;
  readonly beforeMs: number;
  readonly afterMs: number;
}

const changes = new Map<string, Change>();
const changesMax = 4_096;

/** Remembered: all lines of a zone ask for the same days. */
function changeAround(zone: string, date: number): Change {
  const name = `${date} ${zone}`;
  const known = changes.get(name);
  if (known !== undefined) return known;
  const change = findChange(zone, date);
  if (changes.size >= changesMax) changes.clear();
  changes.set(name, change);
  return change;
}

function findChange(zone: string, date: number): Change {
  let low = date - offsetMaxMs;
  let high = date + dayMs + offsetMaxMs;
  const before = offsetAt(low, zone);
  const after = offsetAt(high, zone);
  if (before === after) return { atMs: undefined, beforeMs: before, afterMs: after };
  while (high - low > 1000) {
    const middle = Math.floor((low + high) / 2000) * 1000;
    if (offsetAt(middle, zone) === before) low = middle;
    else high = middle;
  }
  return { atMs: high, beforeMs: before, afterMs: after };
}

/** When the clocks show `local`. */
function momentsOf(local: number, { atMs, beforeMs, afterMs }: Change, isOpen: boolean): readonly number[] {
  const before = local - beforeMs;
  if (atMs === undefined) return [before];
  const after = local - afterMs;
  if (before < atMs) return isOpen && after >= atMs ? [before, after] : [before];
  if (after >= atMs) return [after];
  return isOpen ? [] : [atMs];
}

/** By how much the clocks of the zone are ahead of UTC. */
function offsetAt(ms: number, zone: string): number {
  const seconds = Math.floor(ms / 1000);
  const { year, month, day, hour, minute, second } = inNamedZone(BigInt(seconds), zone);
  return Date.UTC(year, month, day, hour, minute, second) - seconds * 1000;
}
