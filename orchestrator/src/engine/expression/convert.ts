import { celType, isCelUint } from "@bufbuild/cel";
import type { CelValue } from "@bufbuild/cel";
import { ScalarType } from "@bufbuild/protobuf";
import type { DescEnum, DescMessage, Registry } from "@bufbuild/protobuf";
import { isReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import type { ReflectMessage } from "@bufbuild/protobuf/reflect";
import { isWrapperDesc } from "@bufbuild/protobuf/wkt";
import { toAny, toListValue, toStruct, toValue } from "./json.ts";
import type { ElementType } from "./value.ts";

/** A value that doesn't fit its field: a failure of the evaluation, told in words. */
export class Misfit extends Error {}

/** The protobuf value of an expression's value, as @bufbuild/protobuf's reflection wants it; throws Misfit when it doesn't fit. */
export function toElement(type: ElementType, value: CelValue, registry: Registry): unknown {
  switch (type.kind) {
    case "scalar":
      return toScalar(type.scalar, value);
    case "enum":
      return toEnum(type.enum, value);
    case "message":
      return toMessage(type.message, value, registry);
  }
}

/** The protobuf message of an expression's value; null is a message only for Any and Value. */
export function toMessage(desc: DescMessage, value: CelValue, registry: Registry): ReflectMessage {
  switch (desc.typeName) {
    case "google.protobuf.Any":
      return reflect(desc, toAny(value, registry), false);
    case "google.protobuf.Value":
      return reflect(desc, toValue(value, registry), false);
    case "google.protobuf.Struct":
      return reflect(desc, toStruct(value, registry), false);
    case "google.protobuf.ListValue":
      return reflect(desc, toListValue(value, registry), false);
  }
  if (isWrapperDesc(desc)) {
    const wrapper = reflect(desc, undefined, false);
    wrapper.set(desc.fields[0], toScalar(desc.fields[0].scalar, value));
    return wrapper;
  }
  if (!isReflectMessage(value, desc)) throw new Misfit(`${desc.typeName} is expected, the value is ${nameOf(value)}`);
  return value;
}

/** The protobuf value of a scalar; whole numbers are checked against the field's range, text against being Unicode. */
export function toScalar(scalar: ScalarType, given: CelValue): bigint | number | string | boolean | Uint8Array {
  const value = isCelUint(given) ? given.value : given;
  switch (scalar) {
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return Number(toWhole(value, given, -0x8000_0000n, 0x7fff_ffffn, "int32"));
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return Number(toWhole(value, given, 0n, 0xffff_ffffn, "uint32"));
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return toWhole(value, given, -0x8000_0000_0000_0000n, 0x7fff_ffff_ffff_ffffn, "int64");
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return toWhole(value, given, 0n, 0xffff_ffff_ffff_ffffn, "uint64");
    case ScalarType.FLOAT:
      if (typeof value !== "number") throw misfit("a double", given);
      return Math.fround(value);
    case ScalarType.DOUBLE:
      if (typeof value !== "number") throw misfit("a double", given);
      return value;
    case ScalarType.STRING:
      if (typeof value !== "string") throw misfit("a string", given);
      if (!value.isWellFormed()) throw new Misfit("the text is not Unicode: a character is cut in two");
      return value;
    case ScalarType.BOOL:
      if (typeof value !== "boolean") throw misfit("a bool", given);
      return value;
    case ScalarType.BYTES:
      if (!(value instanceof Uint8Array)) throw misfit("bytes", given);
      return value;
  }
}

function toEnum(desc: DescEnum, value: CelValue): number {
  const number = Number(toWhole(isCelUint(value) ? value.value : value, value, -0x8000_0000n, 0x7fff_ffffn, "int32"));
  if (!desc.open && desc.value[number] === undefined) throw new Misfit(`${number} is no value of ${desc.typeName}`);
  return number;
}

function toWhole(value: unknown, given: CelValue, min: bigint, max: bigint, name: string): bigint {
  if (typeof value !== "bigint") throw misfit("a whole number", given);
  if (value < min || value > max) throw new Misfit(`${value} does not fit ${name}`);
  return value;
}

function misfit(expected: string, value: CelValue): Misfit {
  return new Misfit(`${expected} is expected, the value is ${nameOf(value)}`);
}

/** What kind of value it is, in words of CEL. */
export function nameOf(value: CelValue): string {
  return value === null ? "null" : celType(value).name;
}
