import type { DescMessage } from "@bufbuild/protobuf";
import { shapeOf } from "./wireShape.ts";
import type { FieldShape, MessageShape, ValueShape, VarintRange } from "./wireShape.ts";

/** Fields of a message whose places are asked for. */
export interface Sought {
  readonly shape: MessageShape;
  /** By field number. */
  readonly fields: ReadonlyMap<number, SoughtField>;
}

export interface SoughtField {
  /** Where its place goes; undefined: it is asked for what is in it. */
  readonly slot: number | undefined;
  readonly inside: Sought | undefined;
}

/**
 * Where fields stand: of slot n, at 3n the begin of the first record, tag and all, at 3n + 1 what follows that tag, at 3n + 2 the end of the last
 * record. -1: it is not set.
 */
export type Places = Int32Array;

/** Places for so many slots. */
export function makePlaces(slots: number): Places {
  return new Int32Array(3 * slots);
}

/**
 * Finds fields in bytes that are the one encoding of their message, at every depth, as encodeMessage makes it: then to copy a field is what to decode,
 * convert and encode it comes to. False: they are not, or it can't be told without decoding, and nothing is said of the places.
 */
export function findPlaces(bytes: Uint8Array, sought: Sought, places: Places): boolean {
  return walkMessage({ bytes, places, at: 0, depth: 0 }, bytes.length, sought.shape, sought);
}

const nowhere = makePlaces(0);

/** Whether bytes are the one encoding of a message, so that to decode and encode them would make the same. False where that can't be told. */
export function isEncoded(desc: DescMessage, bytes: Uint8Array): boolean {
  return walkMessage({ bytes, places: nowhere, at: 0, depth: 0 }, bytes.length, shapeOf(desc), undefined);
}

/** A walk over bytes, and how far it has come. */
interface Walk {
  readonly bytes: Uint8Array;
  readonly places: Places;
  at: number;
  depth: number;
}

/** Decoders take more. */
const depthMax = 64;

function walkMessage(walk: Walk, end: number, { fields }: MessageShape, sought: Sought | undefined): boolean {
  if (++walk.depth > depthMax) return false;
  let next = 0;
  while (walk.at < end) {
    const begin = walk.at;
    const tag = readSmall(walk, end);
    if (tag < 0) return false;
    const number = tag >>> 3;
    let field = fields[next];
    while (field !== undefined && field.number < number) field = fields[++next];
    if (field === undefined || field.number !== number || field.wire !== (tag & 7)) return false;
    if (!field.repeats) next += 1;
    const found = sought?.fields.get(number);
    const value = walk.at;
    if (!walkField(walk, end, field, found?.inside)) return false;
    if (found?.slot !== undefined) notePlace(walk, found.slot, begin, value);
  }
  walk.depth -= 1;
  return true;
}

function notePlace({ places, at }: Walk, slot: number, begin: number, value: number): void {
  if (places[3 * slot] === -1) {
    places[3 * slot] = begin;
    places[3 * slot + 1] = value;
  }
  places[3 * slot + 2] = at;
}

function walkField(walk: Walk, end: number, { value, isImplicit }: FieldShape, inside: Sought | undefined): boolean {
  const begin = walk.at;
  if (!walkValue(walk, end, value, inside)) return false;
  // A default that is written where it need not be.
  return !isImplicit || !isZero(walk.bytes, begin, walk.at);
}

function walkValue(walk: Walk, end: number, value: ValueShape, inside: Sought | undefined): boolean {
  switch (value.kind) {
    case "varint":
      return walkVarint(walk, end, value.range);
    case "fixed":
      return walkFixed(walk, end, value.sizeBytes, value.isFloat);
    case "text":
    case "bytes":
    case "message":
    case "packed": {
      const length = readSmall(walk, end);
      const stop = walk.at + length;
      return length >= 0 && stop <= end && walkDelimited(walk, stop, value, inside);
    }
  }
}

function walkDelimited(
  walk: Walk,
  stop: number,
  value: Extract<ValueShape, { readonly kind: "text" | "bytes" | "message" | "packed" }>,
  inside: Sought | undefined,
): boolean {
  const { bytes, at: begin } = walk;
  switch (value.kind) {
    case "text":
      walk.at = stop;
      return isText(bytes, begin, stop);
    case "bytes":
      walk.at = stop;
      return true;
    case "message":
      return walkMessage(walk, stop, shapeIn(value.desc, inside), inside);
    case "packed":
      if (begin === stop) return false;
      while (walk.at < stop) if (!walkValue(walk, stop, value.element, undefined)) return false;
      return true;
  }
}

function shapeIn(desc: DescMessage, inside: Sought | undefined): MessageShape {
  return inside === undefined ? shapeOf(desc) : inside.shape;
}

/** A tag or a length in its shortest form; -1: it is none. */
function readSmall(walk: Walk, end: number): number {
  const { bytes, at } = walk;
  const first = bytes[at] ?? 0;
  if (at < end && first < 0x80) {
    walk.at = at + 1;
    return first;
  }
  if (!walkVarint(walk, end, "uint32")) return -1;
  let value = 0;
  for (let next = walk.at - 1; next >= at; next--) value = value * 0x80 + ((bytes[next] ?? 0) & 0x7f);
  return value;
}

/** A whole number in its shortest form. */
function walkVarint(walk: Walk, end: number, range: VarintRange): boolean {
  const { bytes, at: begin } = walk;
  let next = begin;
  while (next < end && next < begin + 9 && (bytes[next] ?? 0) >= 0x80) next++;
  if (next >= end) return false;
  const last = bytes[next] ?? 0;
  const length = next + 1 - begin;
  walk.at = next + 1;
  if (last === 0 && length > 1) return false;
  switch (range) {
    case "bool":
      return length === 1 && last <= 1;
    case "uint32":
      return length < 5 || (length === 5 && last <= 0x0f);
    case "64":
      return length < 10 || last === 1;
    case "int32":
      if (length < 10) return length < 5 || (length === 5 && last <= 0x07);
      // Its sign goes on to the end.
      if (((bytes[begin + 4] ?? 0) & 0xf8) !== 0xf8) return false;
      for (let at = begin + 5; at < next; at++) if (bytes[at] !== 0xff) return false;
      return last === 1;
  }
}

/** Of what may be NaN, which has many forms, or a zero below 0, nothing is told. */
function walkFixed(walk: Walk, end: number, sizeBytes: 4 | 8, isFloat: boolean): boolean {
  const { bytes, at: begin } = walk;
  walk.at += sizeBytes;
  if (walk.at > end) return false;
  if (!isFloat) return true;
  const high = ((bytes[walk.at - 1] ?? 0) << 8) | (bytes[walk.at - 2] ?? 0);
  const exponent = sizeBytes === 4 ? 0x7f80 : 0x7ff0;
  return (high & exponent) !== exponent && (high !== 0x8000 || !isZero(bytes, begin, walk.at - 2));
}

function isZero(bytes: Uint8Array, begin: number, end: number): boolean {
  for (let at = begin; at < end; at++) if (bytes[at] !== 0) return false;
  return true;
}

/** Whether the bytes are UTF-8. */
function isText(bytes: Uint8Array, begin: number, end: number): boolean {
  for (let at = begin; at < end;) {
    const lead = bytes[at] ?? 0;
    at += 1;
    if (lead < 0x80) continue;
    const more =
      lead >= 0xc2 && lead < 0xe0 ? 1 : lead >= 0xe0 && lead < 0xf0 ? 2 : lead >= 0xf0 && lead < 0xf5 ? 3 : 0;
    if (more === 0 || at + more > end) return false;
    const second = bytes[at] ?? 0;
    // Neither longer than need be, nor half of a pair, nor above U+10FFFF.
    if (lead === 0xe0 && second < 0xa0) return false;
    if (lead === 0xed && second > 0x9f) return false;
    if (lead === 0xf0 && second < 0x90) return false;
    if (lead === 0xf4 && second > 0x8f) return false;
    for (const last = at + more; at < last; at++) if (((bytes[at] ?? 0) & 0xc0) !== 0x80) return false;
  }
  return true;
}
