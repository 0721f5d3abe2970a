/** A moment's fields on the calendar of a time zone. */
export interface CalendarTime {
  readonly year: number;
  /** From 0. */
  readonly month: number;
  /** From 1. */
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

/** The fields of a moment, in seconds since 1970, in a zone named as IANA does it; throws when there is none of that name. */
export function inNamedZone(seconds: bigint, zone: string): CalendarTime {
  const parts = new Map(
    formatOf(zone)
      .formatToParts(new Date(Number(seconds) * 1000))
      .map((part) => [part.type, part.value]),
  );
  const numberOf = (type: Intl.DateTimeFormatPartTypes): number => Number(parts.get(type) ?? "0");
  const year = parts.get("era") === "BC" ? 1 - numberOf("year") : numberOf("year");
  return {
    year,
    month: numberOf("month") - 1,
    day: numberOf("day"),
    hour: numberOf("hour"),
    minute: numberOf("minute"),
    second: numberOf("second"),
  };
}

/** Is it the name of a time zone, as IANA spells it. What counts is the calendar that this process came with. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/.test(name)) return false;
  try {
    formatOf(name);
    return true;
  } catch {
    return false;
  }
}

const formats = new Map<string, Intl.DateTimeFormat>();
const formatsMax = 64;

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  const format = openFormat(zone);
  if (formats.size >= formatsMax) formats.clear();
  formats.set(zone, format);
  return format;
}

function openFormat(zone: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      era: "short",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  } catch {
    throw new Error(`'${zone}' is no time zone`);
  }
}
