import type { DescMessage, Registry } from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { Any } from "../../../proto/gen/google/protobuf/any.ts";
import { toKeptForm } from "./expression/kept.ts";
import { anyName, isExtension, isRedacted, mayHoldRedacted, messageOf } from "./expression/redacted.ts";
import { parseValueType } from "./expression/value.ts";

/**
 * A value as it may be shown: the bytes of its type, spelled as ValueType says, without the fields that are declared `debug_redact`, however deep
 * they stand, in messages inside Any too, and without extensions. Bytes that can't be read, and those of a type that nobody knows, are not shown at all: nobody can say
 * what is in them. What holds no such field comes back as it is.
 */
export function shownBytes(registry: Registry, type: string, bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0) return bytes;
  const parsed = type === "" ? undefined : parseValueType(type, registry, "");
  if (parsed === undefined || parsed.kind === "wrong") return nothing;
  const { message } = toKeptForm(parsed, registry);
  if (!mayHoldRedacted(message)) return bytes;
  try {
    return strip(registry, message, bytes);
  } catch {
    return nothing;
  }
}

/** Details of a status as they may be shown: of messages that nobody knows only the name. */
export function shownDetails(registry: Registry, details: readonly Any[]): readonly Any[] {
  return details.map(({ typeUrl, value }) => ({ typeUrl, value: shownContent(registry, typeUrl, value) }));
}

const nothing: Uint8Array = new Uint8Array();

function strip(registry: Registry, message: DescMessage, bytes: Uint8Array): Uint8Array {
  if (message.typeName === anyName) return stripAny(registry, bytes);
  const reader = new BinaryReader(bytes);
  const writer = new BinaryWriter();
  while (reader.pos < reader.len) {
    const from = reader.pos;
    const [number, wire] = reader.tag();
    const field = message.fields.find((one) => one.number === number);
    const inside = field === undefined ? undefined : messageOf(field);
    const isHidden = field === undefined ? isExtension(message, number) : isRedacted(field);
    if (isHidden) reader.skip(wire, number);
    else if (field === undefined || inside === undefined || !mayHoldRedacted(inside)) {
      reader.skip(wire, number);
      writer.raw(bytes.subarray(from, reader.pos));
    } else if (wire === WireType.LengthDelimited) {
      const content = reader.bytes();
      writer
        .tag(number, wire)
        .bytes(field.fieldKind === "map" ? stripEntry(registry, inside, content) : strip(registry, inside, content));
    } else if (wire === WireType.StartGroup) {
      const begin = reader.pos;
      reader.skip(wire, number);
      const end = reader.pos - sizeOfTag(number);
      writer
        .tag(number, wire)
        .raw(strip(registry, inside, bytes.subarray(begin, end)))
        .tag(number, WireType.EndGroup);
    } else throw new Error(`field ${number} is no message`);
  }
  return writer.finish();
}

function sizeOfTag(number: number): number {
  return new BinaryWriter().tag(number, WireType.EndGroup).finish().length;
}

/** Number of a map entry's value. */
const valueNumber = 2;

function stripEntry(registry: Registry, value: DescMessage, entry: Uint8Array): Uint8Array {
  const reader = new BinaryReader(entry);
  const writer = new BinaryWriter();
  while (reader.pos < reader.len) {
    const from = reader.pos;
    const [number, wire] = reader.tag();
    if (number === valueNumber && wire === WireType.LengthDelimited) {
      writer.tag(number, wire).bytes(strip(registry, value, reader.bytes()));
    } else {
      reader.skip(wire, number);
      writer.raw(entry.subarray(from, reader.pos));
    }
  }
  return writer.finish();
}

function stripAny(registry: Registry, bytes: Uint8Array): Uint8Array {
  const reader = new BinaryReader(bytes);
  let typeUrl = "";
  let value = nothing;
  while (reader.pos < reader.len) {
    const [number, wire] = reader.tag();
    if (number === 1 && wire === WireType.LengthDelimited) typeUrl = reader.string();
    else if (number === 2 && wire === WireType.LengthDelimited) value = reader.bytes();
    else reader.skip(wire, number);
  }
  const writer = new BinaryWriter();
  if (typeUrl !== "") writer.tag(1, WireType.LengthDelimited).string(typeUrl);
  const shown = shownContent(registry, typeUrl, value);
  if (shown.length > 0) writer.tag(2, WireType.LengthDelimited).bytes(shown);
  return writer.finish();
}

/** What an Any holds. Google's own messages are known without a registry to hold nothing redacted, as long as they hold no Any. */
function shownContent(registry: Registry, typeUrl: string, value: Uint8Array): Uint8Array {
  const name = typeUrl.slice(typeUrl.lastIndexOf("/") + 1);
  const isKnown = /^google\.(rpc|protobuf)\.\w+$/.test(name) && name !== anyName && name !== "google.rpc.Status";
  return isKnown ? value : shownBytes(registry, name, value);
}
