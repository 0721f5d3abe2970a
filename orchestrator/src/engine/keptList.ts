import { ScalarType } from "@bufbuild/protobuf";
import type { Registry } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { KeptValue } from "./expression/result.ts";
import { parseValueType } from "./expression/value.ts";
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
