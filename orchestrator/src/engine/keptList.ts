import { ScalarType } from "@bufbuild/protobuf";
import type { Registry } from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { KeptValue } from "./expression/result.ts";
import { formatValueType, parseValueType } from "./expression/value.ts";
import type { ElementType } from "./expression/value.ts";

/**
 * The kept form of a list of kept values, in order; `type` is the list's spelling. Undefined when `type` is not a list or a value is
 * missing: then the step has no result.
 */
export function toKeptList(
  type: string,
  values: readonly (KeptValue | undefined)[],
  registry: Registry,
): KeptValue | undefined {
  if (type === "") return undefined;
  const parsed = parseValueType(type, registry, "");
  if (parsed.kind !== "list") return undefined;
  const writer = new BinaryWriter();
  for (const value of values) {
    if (value === undefined) return undefined;
    if (parsed.element.kind === "message") writer.tag(1, WireType.LengthDelimited).bytes(value.bytes);
    else writer.raw(value.bytes.length > 0 ? value.bytes : zeroOf(parsed.element));
  }
  return { type, bytes: writer.finish() };
}

/** A zero is left out where a single value is kept, and must not be in a list. Field 1, with its default. */
function zeroOf(element: ElementType): Uint8Array {
  const scalar = element.kind === "scalar" ? element.scalar : ScalarType.INT32;
  switch (scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return Uint8Array.of(0x0a, 0);
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return Uint8Array.of(0x09, 0, 0, 0, 0, 0, 0, 0, 0);
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return Uint8Array.of(0x0d, 0, 0, 0, 0);
    case ScalarType.BOOL:
    case ScalarType.INT32:
    case ScalarType.INT64:
    case ScalarType.UINT32:
    case ScalarType.UINT64:
    case ScalarType.SINT32:
    case ScalarType.SINT64:
      return Uint8Array.of(0x08, 0);
  }
}

/** A list of kept values that is read element by element. */
export interface KeptList {
  /** The whole. */
  readonly value: KeptValue;
  readonly size: number;
  readonly element: ElementType;
  /** Where the content of each element begins and ends. */
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

/** Splits the kept form of a list, packed or not, in one pass over its bytes. Throws when its type is not a list. */
export function openKeptList(value: KeptValue, registry: Registry): KeptList {
  const { type, bytes } = value;
  const parsed = parseValueType(type, registry, "");
  if (parsed.kind !== "list") throw new Error(`${type} is no list of what the plan knows`);
  const { element } = parsed;
  const tag = tagOf(element);
  const isPackable = (tag & 7) !== WireType.LengthDelimited;
  const starts: number[] = [];
  const ends: number[] = [];
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [number, wire] = reader.tag();
    const end = wire === WireType.LengthDelimited ? reader.uint32() + reader.pos : undefined;
    if (isPackable && end !== undefined) {
      while (reader.pos < end) {
        starts.push(reader.pos);
        reader.skip(tag & 7, 1);
        ends.push(reader.pos);
      }
      continue;
    }
    starts.push(reader.pos);
    if (end === undefined) reader.skip(wire, number);
    else reader.pos = end;
    ends.push(reader.pos);
  }
  return { value, size: starts.length, element, starts, ends };
}

/** The kept form of one element, 0 ≤ index < size; a message's is a view of the list's bytes. */
export function elementAt({ value, element, starts, ends }: KeptList, index: number): KeptValue {
  const content = value.bytes.subarray(starts[index], ends[index]);
  const bytes = element.kind === "message" ? content : withTag(tagOf(element), content);
  return { type: formatValueType(element), bytes };
}

/** What stands before an element of the kind that is not packed. */
function tagOf(element: ElementType): number {
  return element.kind === "message" ? messageTag : (zeroOf(element)[0] ?? messageTag);
}

/** Of field 1, with a length. */
const messageTag = 0x0a;

/** One value of field 1. */
function withTag(tag: number, content: Uint8Array): Uint8Array {
  const writer = new BinaryWriter();
  writer.uint32(tag);
  if ((tag & 7) === WireType.LengthDelimited) writer.bytes(content);
  else writer.raw(content);
  return writer.finish();
}

/** The texts of a kept list of strings. */
export function toTexts(bytes: Uint8Array): readonly string[] {
  const reader = new BinaryReader(bytes);
  const texts: string[] = [];
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === 1) texts.push(reader.string());
    else reader.skip(type);
  }
  return texts;
}
