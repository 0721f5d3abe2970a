import { CelScalar, celFunc, celList, celUint, isCelList, isCelMap, isCelUint, objectType } from "@bufbuild/cel";
import type { CelFunc, CelInput, CelList, CelValue } from "@bufbuild/cel";
import { create, fromJson } from "@bufbuild/protobuf";
import type { Registry } from "@bufbuild/protobuf";
import { DurationSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";
import { buildMessage, copyField, openField } from "./build.ts";
import { nameOf } from "./convert.ts";
import { parseDuration } from "./duration.ts";
import { entryFunctions } from "./entries.ts";
import { spend } from "./meter.ts";
import type { Meter } from "./meter.ts";
import { optionalFunctions } from "./optional.ts";

const { BOOL, DOUBLE, DYN, INT, STRING, UINT } = CelScalar;
const timestampType = objectType(TimestampSchema);
const durationType = objectType(DurationSchema);

/** What the checker's rewriting calls; no expression can name these. */
export function rewrittenFunctions(meter: Meter, registry: Registry): CelFunc[] {
  return [
    ...entryFunctions(meter),
    ...optionalFunctions(meter),
    celFunc("@tick", [], BOOL, () => {
      spend(meter, 1);
      return true;
    }),
    celFunc("@append", [DYN, DYN], DYN, append),
    celFunc("@index", [DYN, DYN], DYN, indexInto),
    celFunc("@copy", [DYN, STRING], DYN, copyField),
    celFunc("@open", [DYN, STRING, STRING], DYN, (operand, name, type) => openField(operand, name, type, registry)),
    celFunc("@message", [INT, DYN], DYN, (index, values) => {
      const builder = meter.builders[Number(index)];
      if (builder === undefined || !isCelList(values)) throw new Error("a builder is missing");
      return buildMessage(builder, values);
    }),
  ];
}

const intMin = -0x8000_0000_0000_0000n;
const intMax = 0x7fff_ffff_ffff_ffffn;
const uintMax = 0xffff_ffff_ffff_ffffn;

/**
 * Standard functions of our own: where the library's can't name the place of an overflow, take text that is no number, count a
 * timestamp in milliseconds, or know no days.
 */
export const standardFunctions: readonly CelFunc[] = [
  celFunc("_+_", [INT, INT], INT, (a, b) => toInt(a + b)),
  celFunc("_-_", [INT, INT], INT, (a, b) => toInt(a - b)),
  celFunc("_*_", [INT, INT], INT, (a, b) => toInt(a * b)),
  celFunc("_/_", [INT, INT], INT, (a, b) => toInt(a / nonZero(b))),
  celFunc("_%_", [INT, INT], INT, (a, b) => toInt(a % nonZero(b))),
  celFunc("-_", [INT], INT, (a) => toInt(-a)),
  celFunc("_+_", [UINT, UINT], UINT, (a, b) => toUint(a.value + b.value)),
  celFunc("_-_", [UINT, UINT], UINT, (a, b) => toUint(a.value - b.value)),
  celFunc("_*_", [UINT, UINT], UINT, (a, b) => toUint(a.value * b.value)),
  celFunc("_/_", [UINT, UINT], UINT, (a, b) => toUint(a.value / nonZero(b.value))),
  celFunc("_%_", [UINT, UINT], UINT, (a, b) => toUint(a.value % nonZero(b.value))),
  celFunc("int", [UINT], INT, (a) => toInt(a.value)),
  celFunc("int", [DOUBLE], INT, (a) => toInt(truncate(a, "int"))),
  celFunc("int", [STRING], INT, (text) => toInt(wholeOf(text, /^[+-]?\d+$/))),
  celFunc("uint", [INT], UINT, (a) => toUint(a)),
  celFunc("uint", [DOUBLE], UINT, (a) => toUint(truncate(a, "uint"))),
  celFunc("uint", [STRING], UINT, (text) => toUint(wholeOf(text, /^\d+$/))),
  celFunc("double", [STRING], DOUBLE, doubleOf),
  celFunc("timestamp", [INT], timestampType, (seconds) => toTimestamp(seconds, 0n)),
  celFunc("timestamp", [STRING], timestampType, timestampOf),
  celFunc("duration", [STRING], durationType, (text) => toDuration(parseDuration(text))),
  celFunc("_+_", [timestampType, durationType], timestampType, (a, b) => sumOf(a.message, b.message)),
  celFunc("_+_", [durationType, timestampType], timestampType, (a, b) => sumOf(b.message, a.message)),
];

const growing = new WeakMap<CelList, CelInput[]>();

/** Adds a list of one (an Any would be opened on its way in) to a list that only a macro's accumulator holds, so it may grow in place: the library's sum of lists is quadratic. */
function append(list: CelValue, added: CelValue): CelList {
  if (!isCelList(list) || !isCelList(added)) throw new Error("a list is expected");
  const elements = growing.get(list);
  if (elements !== undefined) {
    elements.push(...added);
    return list;
  }
  const fresh: CelInput[] = [...list, ...added];
  const grown = celList(fresh);
  growing.set(grown, fresh);
  return grown;
}

function indexInto(container: CelValue, key: CelValue): CelInput {
  if (isCelList(container)) {
    const index = isCelUint(key) ? key.value : key;
    if (typeof index !== "bigint" && typeof index !== "number")
      throw new Error(`a list is indexed by int, not ${nameOf(key)}`);
    const found = Number.isInteger(Number(index)) ? container.get(Number(index)) : undefined;
    if (found === undefined)
      throw new Error(`index ${index} is out of range: the list has ${countOf(container.size, "element")}`);
    return found;
  }
  if (!isCelMap(container)) throw new Error(`${nameOf(container)} can't be indexed`);
  if (
    typeof key !== "bigint" &&
    typeof key !== "number" &&
    typeof key !== "string" &&
    typeof key !== "boolean" &&
    !isCelUint(key)
  ) {
    throw new Error(`${nameOf(key)} can't be the key of a map`);
  }
  const found = container.get(key);
  if (found === undefined) throw new Error(`the map has no key ${keyText(isCelUint(key) ? key.value : key)}`);
  return found;
}

function keyText(key: string | bigint | number | boolean): string {
  return typeof key === "string" ? JSON.stringify(key) : String(key);
}

function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function toInt(value: bigint): bigint {
  if (value < intMin || value > intMax) throw new Error("int overflow");
  return value;
}

function toUint(value: bigint): ReturnType<typeof celUint> {
  if (value < 0n || value > uintMax) throw new Error("uint overflow");
  return celUint(value);
}

function nonZero(value: bigint): bigint {
  if (value === 0n) throw new Error("division by zero");
  return value;
}

/** Doubles at the very edge of the range don't convert: their neighbours would not come back as themselves. */
function truncate(value: number, name: string): bigint {
  if (!Number.isFinite(value) || Math.abs(value) >= (name === "int" ? 2 ** 63 : 2 ** 64))
    throw new Error(`${name} overflow`);
  if (name === "uint" && value < 0) throw new Error("uint overflow");
  return BigInt(Math.trunc(value));
}

function wholeOf(text: string, form: RegExp): bigint {
  if (!form.test(text)) throw new Error(`${JSON.stringify(text)} is no whole number`);
  return BigInt(text.startsWith("+") ? text.slice(1) : text);
}

function doubleOf(text: string): number {
  if (/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) return Number(text);
  const special = /^([+-]?)(inf(?:inity)?|nan)$/i.exec(text);
  if (special === null) throw new Error(`${JSON.stringify(text)} is no number`);
  if (special[2]?.toLowerCase() === "nan") return Number.NaN;
  return special[1] === "-" ? -Infinity : Infinity;
}

function timestampOf(text: string): Timestamp {
  try {
    return fromJson(TimestampSchema, text);
  } catch {
    throw new Error(`${JSON.stringify(text)} is no timestamp: 2026-01-31T12:00:00Z is the form`);
  }
}

const second = 1_000_000_000n;

function sumOf(at: Timestamp, by: Duration): Timestamp {
  return toTimestamp(at.seconds + by.seconds, BigInt(at.nanos + by.nanos));
}

function toTimestamp(seconds: bigint, nanos: bigint): Timestamp {
  const total = seconds * second + nanos;
  const rest = ((total % second) + second) % second;
  const whole = (total - rest) / second;
  if (whole < -62_135_596_800n || whole > 253_402_300_799n)
    throw new Error("the timestamp is outside the years 1 to 9999");
  return create(TimestampSchema, { seconds: whole, nanos: Number(rest) });
}

function toDuration(nanos: bigint): Duration {
  return create(DurationSchema, { seconds: nanos / second, nanos: Number(nanos % second) });
}
