import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** Bytes of a message whose field 1 is an int64: CountMessage, LoopRequest and LoopResponse alike. */
export function encodeCount(i: number): Buffer {
  const writer = new BinaryWriter();
  if (i !== 0) writer.tag(1, WireType.Varint).int64(i);
  return Buffer.from(writer.finish());
}

/** The number in such a message. Throws when there is anything else in it. */
export function decodeCount(bytes: Uint8Array): number {
  const reader = new BinaryReader(bytes);
  let i = 0;
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field !== 1 || type !== WireType.Varint) throw new Error(`field ${field} is not expected`);
    i = Number(reader.int64());
  }
  return i;
}

/** Bytes of a message whose field 1 is a list of int64: EachRequest and EachResponse alike. */
export function encodeCounts(counts: readonly number[]): Buffer {
  const writer = new BinaryWriter().tag(1, WireType.LengthDelimited).fork();
  for (const i of counts) writer.int64(i);
  return Buffer.from(writer.join().finish());
}

/** The numbers in such a message. */
export function decodeCounts(bytes: Uint8Array): readonly number[] {
  const reader = new BinaryReader(bytes);
  const counts: number[] = [];
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field !== 1) throw new Error(`field ${field} is not expected`);
    const end = type === WireType.LengthDelimited ? reader.uint32() + reader.pos : reader.pos + 1;
    while (reader.pos < end) counts.push(Number(reader.int64()));
  }
  return counts;
}
