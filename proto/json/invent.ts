import { ScalarType, fromJson } from "@bufbuild/protobuf";
import type { DescEnum, DescField, DescMessage, DescOneof, JsonValue, Message } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import { inventText } from "./inventText.ts";

/** What values are invented from. */
export interface Invention {
  /** Another one gives other values; the same one the same values, whatever else is invented. */
  readonly seed: number;
  /** Timestamps lie up to 30 days behind it, in milliseconds since 1970; unless given, 2026-01-01T00:00:00Z. */
  readonly nowMs?: number;
}

/** Deeper ones are left unset, and so are messages inside of one of their own type. */
const depthMax = 6;
const defaultNowMs = Date.UTC(2026, 0, 1);
const dayMs = 86_400_000;

/**
 * A message with plausible values for all its fields, for who answers in place of a service: a function of descriptor and seed alone. A field's
 * value depends on seed, message and field's place only, so that fields that are added leave the others as they are. Google's well-known types
 * are valid; an Any is left unset.
 */
export function inventMessage(descriptor: DescMessage, invention: Invention): Message {
  return fromJson(descriptor, inventJson(descriptor, invention));
}

/** The same as protobuf JSON, with the names of the .proto file. */
export function inventJson(descriptor: DescMessage, { seed, nowMs = defaultNowMs }: Invention): JsonValue {
  return messageOf(descriptor, { place: `${seed}/${descriptor.typeName}`, nowMs, above: [] }) ?? {};
}

/** Where a value stands, which decides it. */
interface Place {
  readonly place: string;
  readonly nowMs: number;
  /** Types of the messages around it. */
  readonly above: readonly string[];
}

function messageOf(descriptor: DescMessage, place: Place): JsonValue | undefined {
  const known = wellKnown(descriptor.typeName, place);
  if (known !== undefined) return known;
  if (descriptor.typeName === "google.protobuf.Any") return undefined;
  if (place.above.length >= depthMax || place.above.includes(descriptor.typeName)) return undefined;
  const inside = { ...place, above: [...place.above, descriptor.typeName] };
  const json: { [name: string]: JsonValue } = {};
  for (const member of descriptor.members) {
    const field = member.kind === "oneof" ? chosen(member, place) : member;
    const value = field === undefined ? undefined : fieldOf(field, at(inside, field.name));
    if (field !== undefined && value !== undefined) json[field.name] = value;
  }
  return json;
}

function at(place: Place, name: string | number): Place {
  return { ...place, place: `${place.place}/${name}` };
}

function chosen(oneof: DescOneof, place: Place): DescField | undefined {
  return oneof.fields[whole(at(place, oneof.name), 0, oneof.fields.length - 1)];
}

function fieldOf(field: DescField, place: Place): JsonValue | undefined {
  switch (field.fieldKind) {
    case "scalar":
      return scalarOf(field.scalar, field.name, place);
    case "enum":
      return enumOf(field.enum, place);
    case "message":
      // What is required is there, however deep; such a field never leads back to its own message.
      return messageOf(field.message, isRequired(field) ? { ...place, above: [] } : place);
    case "list":
      return Array.from({ length: whole(at(place, "length"), 0, 2) }, (_, index) =>
        elementOf(field, at(place, index)),
      ).filter((value) => value !== undefined);
    case "map": {
      const value = elementOf(field, at(place, "value"));
      return value === undefined ? {} : { [keyOf(field.mapKey, place)]: value };
    }
  }
}

function isRequired(field: DescField): boolean {
  return field.presence === FeatureSet_FieldPresence.LEGACY_REQUIRED;
}

function elementOf(
  field: Extract<DescField, { readonly fieldKind: "list" | "map" }>,
  place: Place,
): JsonValue | undefined {
  const kind = field.fieldKind === "list" ? field.listKind : field.mapKind;
  switch (kind) {
    case "scalar":
      return field.scalar === undefined ? undefined : scalarOf(field.scalar, field.name, place);
    case "enum":
      return field.enum === undefined ? undefined : enumOf(field.enum, place);
    case "message":
      return field.message === undefined ? undefined : messageOf(field.message, place);
  }
}

function keyOf(type: ScalarType, place: Place): string {
  if (type === ScalarType.BOOL) return "true";
  return type === ScalarType.STRING ? "key" : String(whole(place, 1, 99));
}

/** One that means something, where the enum has any: 0 means that nobody said. */
function enumOf({ values }: DescEnum, place: Place): JsonValue {
  const meant = values.filter(({ number }) => number !== 0);
  const from = meant.length === 0 ? values : meant;
  return from[whole(place, 0, from.length - 1)]?.name ?? 0;
}

function scalarOf(type: ScalarType, name: string, place: Place): JsonValue {
  switch (type) {
    case ScalarType.STRING:
      return inventText(name, hash(place.place));
    case ScalarType.BYTES:
      return Buffer.from(hash(place.place).toString(16).padStart(8, "0"), "hex").toString("base64");
    case ScalarType.BOOL:
      return whole(place, 0, 1) === 1;
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return isShare(name) ? whole(place, 0, 100) / 100 : whole(place, 1, 20_000) / 100;
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return numberOf(name, place);
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return String(numberOf(name, place));
  }
}

/** 0.42 rather than 42. */
function isShare(name: string): boolean {
  return /(^|_)(score|ratio|rate|share|probability|confidence|percentage)$/.test(name);
}

function numberOf(name: string, place: Place): number {
  if (/(^|_)nanos?$/.test(name)) return whole(place, 0, 99) * 10_000_000;
  if (/(^|_)(year)$/.test(name)) return whole(place, 2020, 2030);
  if (/(^|_)(month)$/.test(name)) return whole(place, 1, 12);
  if (/(^|_)(day|hour)$/.test(name)) return whole(place, 1, 23);
  if (/(^|_)(quantity|count|number|index|attempt|version)$/.test(name)) return whole(place, 1, 5);
  return whole(place, 1, 200);
}

/** Undefined: it is none that has a JSON form of its own. */
function wellKnown(typeName: string, place: Place): JsonValue | undefined {
  const name = /^google\.protobuf\.(\w+)$/.exec(typeName)?.[1];
  switch (name) {
    case "Timestamp":
      return new Date(place.nowMs - whole(place, 0, 30 * dayMs)).toISOString();
    case "Duration":
      return `${whole(place, 1, 300)}s`;
    case "Empty":
      return {};
    case "FieldMask":
      return "";
    case "Struct":
      return { key: inventText("value", hash(place.place)) };
    case "Value":
    case "StringValue":
      return inventText("value", hash(place.place));
    case "ListValue":
      return [inventText("value", hash(place.place))];
    case "BoolValue":
      return whole(place, 0, 1) === 1;
    case "DoubleValue":
    case "FloatValue":
    case "Int32Value":
    case "UInt32Value":
      return whole(place, 1, 200);
    case "Int64Value":
    case "UInt64Value":
      return String(whole(place, 1, 200));
    case "BytesValue":
      return "AA==";
    default:
      return undefined;
  }
}

/** Both ends included. */
function whole({ place }: Place, from: number, to: number): number {
  return from + Math.floor((hash(place) / 2 ** 32) * (to - from + 1));
}

/** 32 bits of a text: FNV-1a, mixed so that texts that differ at their end differ everywhere. */
function hash(text: string): number {
  let state = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) state = Math.imul(state ^ text.charCodeAt(index), 0x01000193);
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
  return (state ^ (state >>> 16)) >>> 0;
}
