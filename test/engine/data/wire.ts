import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

// Messages byte by byte, so that a test can write what no encoder would.

/** Records one after the other. */
export function wire(...records: readonly Uint8Array[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const record of records) writer.raw(record);
  return writer.finish();
}

/** A number as a varint of 64 bits, as int32, int64, uint64, bool and enums are written. */
export function varint(field: number, value: bigint | number): Uint8Array {
  return new BinaryWriter()
    .tag(field, WireType.Varint)
    .int64(BigInt.asIntN(64, BigInt(value)))
    .finish();
}

/** The same as sint32 and sint64 are written. */
export function zigzag(field: number, value: bigint | number): Uint8Array {
  return new BinaryWriter().tag(field, WireType.Varint).sint64(value).finish();
}

/** Eight bytes. */
export function fixed64(field: number, value: bigint): Uint8Array {
  return new BinaryWriter().tag(field, WireType.Bit64).sfixed64(BigInt.asIntN(64, value)).finish();
}

/** Four bytes. */
export function fixed32(field: number, value: number): Uint8Array {
  return new BinaryWriter()
    .tag(field, WireType.Bit32)
    .fixed32(value >>> 0)
    .finish();
}

/** A double. */
export function double(field: number, value: number): Uint8Array {
  return new BinaryWriter().tag(field, WireType.Bit64).double(value).finish();
}

/** A float. */
export function float(field: number, value: number): Uint8Array {
  return new BinaryWriter().tag(field, WireType.Bit32).float(value).finish();
}

/** Text in UTF-8. */
export function text(field: number, value: string): Uint8Array {
  return bytes(field, new TextEncoder().encode(value));
}

/** Bytes, a packed list, or a message of these records. */
export function bytes(field: number, ...records: readonly Uint8Array[]): Uint8Array {
  return new BinaryWriter()
    .tag(field, WireType.LengthDelimited)
    .bytes(wire(...records))
    .finish();
}

/** A message as a group of these records. */
export function group(field: number, ...records: readonly Uint8Array[]): Uint8Array {
  return new BinaryWriter()
    .tag(field, WireType.StartGroup)
    .raw(wire(...records))
    .tag(field, WireType.EndGroup)
    .finish();
}

/** Bytes in hexadecimal digits. */
export function raw(digits: string): Uint8Array {
  return new Uint8Array(Buffer.from(digits, "hex"));
}
