import type { Registry } from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { KeptValue } from "./expression/result.ts";
import { parseValueType } from "./expression/value.ts";

/** The kept form of a message of the type whose fields 1, 2, … hold the values in their order. Undefined when `type` is empty. */
export function toKeptMessage(type: string, values: readonly KeptValue[], registry: Registry): KeptValue | undefined {
  if (type === "") return undefined;
  const writer = new BinaryWriter();
  for (const [i, value] of values.entries()) {
    if (parseValueType(value.type, registry, "").kind === "message")
      writer.tag(i + 1, WireType.LengthDelimited).bytes(value.bytes);
    else writeAs(writer, i + 1, value.bytes);
  }
  return { type, bytes: writer.finish() };
}

/** The kept form of an int. */
export function toKeptInt(value: number): Uint8Array {
  return new BinaryWriter().tag(1, WireType.Varint).int64(value).finish();
}

/** What is not a message is kept as field 1, once or often; the same under another number. */
function writeAs(writer: BinaryWriter, number: number, bytes: Uint8Array): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [known, wire] = reader.tag();
    writer.tag(number, wire).raw(reader.skip(wire, known));
  }
}
