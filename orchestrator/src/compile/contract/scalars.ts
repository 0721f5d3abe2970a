import { FieldDescriptorProto_Type as Type } from "@bufbuild/protobuf/wkt";

/** Scalars by their numbers, and what else a field may hold. */
export type ScalarOrOther = Type | "enum" | "message";

/**
 * What can be read of what is written: nothing lost and nothing mistaken. Equal types are not in it; what is not in it either can't be read at
 * all, or not always: a narrower number, another sign, bytes that may be no text.
 */
const readable: ReadonlyMap<ScalarOrOther, readonly ScalarOrOther[]> = new Map<ScalarOrOther, readonly ScalarOrOther[]>(
  [
    [Type.BOOL, [Type.INT32, Type.INT64, Type.UINT32, Type.UINT64]],
    [Type.INT32, [Type.INT64, "enum"]],
    [Type.UINT32, [Type.INT64, Type.UINT64]],
    [Type.SINT32, [Type.SINT64]],
    ["enum", [Type.INT32, Type.INT64]],
    [Type.STRING, [Type.BYTES]],
  ],
);

/** Half a sentence about a change that matters; undefined: it is read as it was meant. */
export function scalarChange(
  written: ScalarOrOther,
  read: ScalarOrOther,
  writtenName: string,
  readName: string,
): string | undefined {
  if (written === read || readable.get(written)?.includes(read) === true) return undefined;
  return `is written as ${nameOf(written, writtenName)} and read as ${nameOf(read, readName)}`;
}

function nameOf(type: ScalarOrOther, name: string): string {
  return typeof type === "number" ? Type[type].toLowerCase() : name || type;
}
