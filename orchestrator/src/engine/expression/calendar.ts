import { CelScalar, celMethod, objectType } from "@bufbuild/cel";
import type { CelFunc } from "@bufbuild/cel";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import { inNamedZone } from "./zone.ts";
import type { CalendarTime } from "./zone.ts";

const timestampType = objectType(TimestampSchema);
const { INT, STRING } = CelScalar;

/**
 * getFullYear and its kin. The library's own go through the machine's time zone and are wrong where its clocks change; these see the
 * zone of the argument (UTC without) and nothing else.
 */
export const calendarFunctions: readonly CelFunc[] = [
  ...calendarFunction("getFullYear", (time) => time.year),
  ...calendarFunction("getMonth", (time) => time.month),
  ...calendarFunction("getDate", (time) => time.day),
  ...calendarFunction("getDayOfMonth", (time) => time.day - 1),
  ...calendarFunction("getDayOfWeek", (time) => dateOf(time.year, time.month, time.day).getUTCDay()),
  ...calendarFunction("getDayOfYear", dayOfYear),
  ...calendarFunction("getHours", (time) => time.hour),
  ...calendarFunction("getMinutes", (time) => time.minute),
  ...calendarFunction("getSeconds", (time) => time.second),
  celMethod("getMilliseconds", timestampType, [], INT, function () {
    return BigInt(Math.floor(this.message.nanos / 1_000_000));
  }),
  celMethod("getMilliseconds", timestampType, [STRING], INT, function () {
    return BigInt(Math.floor(this.message.nanos / 1_000_000));
  }),
];

function calendarFunction(name: string, pick: (time: CalendarTime) => number): readonly CelFunc[] {
  return [
    celMethod(name, timestampType, [], INT, function () {
      return BigInt(pick(inOffset(this.message.seconds, 0)));
    }),
    celMethod(name, timestampType, [STRING], INT, function (zone) {
      return BigInt(pick(inZone(this.message.seconds, zone)));
    }),
  ];
}

function inZone(seconds: bigint, zone: string): CalendarTime {
  const fixed = /^([+-]?)(\d\d):(\d\d)$/.exec(zone);
  if (fixed !== null) {
    const minutes = Number(fixed[2]) * 60 + Number(fixed[3]);
    return inOffset(seconds, fixed[1] === "-" ? -minutes : minutes);
  }
  if (zone === "" || zone === "UTC") return inOffset(seconds, 0);
  return inNamedZone(seconds, zone);
}

function inOffset(seconds: bigint, offsetMinutes: number): CalendarTime {
  const date = new Date((Number(seconds) + offsetMinutes * 60) * 1000);
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth(),
    day: date.getUTCDate(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
  };
}

function dateOf(year: number, month: number, day: number): Date {
  const date = new Date(0);
  date.setUTCFullYear(year, month, day);
  return date;
}

function dayOfYear(time: CalendarTime): number {
  return Math.round(
    (dateOf(time.year, time.month, time.day).getTime() - dateOf(time.year, 0, 1).getTime()) / 86_400_000,
  );
}
