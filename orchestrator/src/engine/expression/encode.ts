import { ScalarType, toBinary } from "@bufbuild/protobuf";
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { isReflectMessage } from "@bufbuild/protobuf/reflect";
import type { ReflectMap, ReflectMessage } from "@bufbuild/protobuf/reflect";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/**
 * The one encoding of a message: fields in number order, maps sorted by key (text by its UTF-8 bytes, numbers by value), unknown fields
 * kept at the end in the order they came in. Throws when a LEGACY_REQUIRED field is unset.
 */
export function encodeMessage(message: ReflectMessage): Uint8Array {
  if (!holdsMaps(message.desc)) return toBinary(message.desc, message.message);
  const writer = new BinaryWriter();
  writeMessage(writer, message);
  return writer.finish();
}

const mapHolders = new WeakMap<DescMessage, boolean>();

/** Can a message of this type hold a map, at any depth? */
function holdsMaps(desc: DescMessage): boolean {
  const known = mapHolders.get(desc);
  if (known !== undefined) return known;
  const seen = new Set<DescMessage>([desc]);
  let found = false;
  for (const next of seen) {
    for (const field of next.fields) {
      if (field.fieldKind === "map") found = true;
      if (field.message !== undefined) seen.add(field.message);
    }
  }
  mapHolders.set(desc, found);
  return found;
}

function writeMessage(writer: BinaryWriter, message: ReflectMessage): void {
  for (const field of message.sortedFields) {
    if (message.isSet(field)) writeField(writer, message, field);
    else if (field.presence === requiredPresence)
      throw new Error(`required field '${field.name}' of ${message.desc.typeName} is not set`);
  }
  for (const { no, wireType, data } of message.getUnknown() ?? []) writer.tag(no, wireType).raw(data);
}

/** FeatureSet.FieldPresence.LEGACY_REQUIRED */
const requiredPresence = 3;

function writeField(writer: BinaryWriter, message: ReflectMessage, field: DescField): void {
  switch (field.fieldKind) {
    case "scalar":
      writer.tag(field.number, wireTypeOf(field.scalar));
      writeScalar(writer, field.scalar, message.get(field));
      return;
    case "enum":
      writer.tag(field.number, WireType.Varint).int32(message.get(field));
      return;
    case "message":
      writeChild(writer, field.number, field.delimitedEncoding, message.get(field));
      return;
    case "list":
      writeList(writer, field, message.get(field));
      return;
    case "map":
      writeMap(writer, field, message.get(field));
      return;
  }
}

function writeChild(writer: BinaryWriter, number: number, delimited: boolean, child: unknown): void {
  if (!isReflectMessage(child)) throw new Error("a message is expected");
  if (delimited) {
    writer.tag(number, WireType.StartGroup);
    writeMessage(writer, child);
    writer.tag(number, WireType.EndGroup);
    return;
  }
  writer.tag(number, WireType.LengthDelimited).fork();
  writeMessage(writer, child);
  writer.join();
}

function writeList(
  writer: BinaryWriter,
  field: DescField & { readonly fieldKind: "list" },
  items: Iterable<unknown>,
): void {
  if (field.listKind === "message") {
    for (const item of items) writeChild(writer, field.number, field.delimitedEncoding, item);
    return;
  }
  const scalar = field.listKind === "enum" ? ScalarType.INT32 : field.scalar;
  if (field.packed) writer.tag(field.number, WireType.LengthDelimited).fork();
  for (const item of items) {
    if (!field.packed) writer.tag(field.number, wireTypeOf(scalar));
    writeScalar(writer, scalar, item);
  }
  if (field.packed) writer.join();
}

function writeMap(writer: BinaryWriter, field: DescField & { readonly fieldKind: "map" }, map: ReflectMap): void {
  for (const [key, value] of [...map].toSorted(([a], [b]) => compareKeys(a, b))) {
    writer.tag(field.number, WireType.LengthDelimited).fork();
    writer.tag(1, wireTypeOf(field.mapKey));
    writeScalar(writer, field.mapKey, key);
    if (field.mapKind === "message") {
      writeChild(writer, 2, false, value);
    } else {
      const scalar = field.mapKind === "enum" ? ScalarType.INT32 : field.scalar;
      writer.tag(2, wireTypeOf(scalar));
      writeScalar(writer, scalar, value);
    }
    writer.join();
  }
}

/** Order of map keys: numbers by value, false before true, text by its UTF-8 bytes. */
export function compareKeys(a: unknown, b: unknown): number {
  if (typeof a === "string" && typeof b === "string") return compareText(a, b);
  if (a === b) return 0;
  return Number(a) === Number(b) ? (BigInt(String(a)) < BigInt(String(b)) ? -1 : 1) : Number(a) < Number(b) ? -1 : 1;
}

/** Code point order, which is the order of the UTF-8 bytes; UTF-16 order differs above U+FFFF. */
function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const unitA = a.charCodeAt(at);
    const unitB = b.charCodeAt(at);
    if (unitA === unitB) continue;
    const surrogateA = unitA >= 0xd800 && unitA <= 0xdfff;
    const surrogateB = unitB >= 0xd800 && unitB <= 0xdfff;
    if (surrogateA !== surrogateB) return surrogateA ? 1 : -1;
    return unitA - unitB;
  }
  return a.length - b.length;
}

function wireTypeOf(scalar: ScalarType): WireType {
  switch (scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return WireType.LengthDelimited;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return WireType.Bit64;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return WireType.Bit32;
    case ScalarType.BOOL:
    case ScalarType.INT32:
    case ScalarType.UINT32:
    case ScalarType.SINT32:
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
      return WireType.Varint;
  }
}

function writeScalar(writer: BinaryWriter, scalar: ScalarType, value: unknown): void {
  switch (typeof value) {
    case "string":
      writer.string(value);
      return;
    case "boolean":
      writer.bool(value);
      return;
    case "bigint":
      write64(writer, scalar, value);
      return;
    case "number":
      write32(writer, scalar, value);
      return;
    default:
      if (!(value instanceof Uint8Array)) throw new Error("a scalar is expected");
      writer.bytes(value);
  }
}

function write64(writer: BinaryWriter, scalar: ScalarType, value: bigint): void {
  switch (scalar) {
    case ScalarType.INT64:
      writer.int64(value);
      return;
    case ScalarType.UINT64:
      writer.uint64(value);
      return;
    case ScalarType.SINT64:
      writer.sint64(value);
      return;
    case ScalarType.FIXED64:
      writer.fixed64(value);
      return;
    case ScalarType.SFIXED64:
      writer.sfixed64(value);
      return;
    default:
      throw new Error("a 64-bit number stands in a field of another kind");
  }
}

function write32(writer: BinaryWriter, scalar: ScalarType, value: number): void {
  switch (scalar) {
    case ScalarType.INT32:
      writer.int32(value);
      return;
    case ScalarType.UINT32:
      writer.uint32(value);
      return;
    case ScalarType.SINT32:
      writer.sint32(value);
      return;
    case ScalarType.FIXED32:
      writer.fixed32(value);
      return;
    case ScalarType.SFIXED32:
      writer.sfixed32(value);
      return;
    case ScalarType.FLOAT:
      writer.float(value);
      return;
    case ScalarType.DOUBLE:
      writer.double(value);
      return;
    default:
      throw new Error("a number stands in a field of another kind");
  }
}
