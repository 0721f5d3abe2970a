import { isCelList, isCelMap, isCelUint } from "@bufbuild/cel";
import type { CelValue } from "@bufbuild/cel";
import { create, fromJson, isMessage, toJson } from "@bufbuild/protobuf";
import type { Registry } from "@bufbuild/protobuf";
import { isReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import type { ReflectMessage } from "@bufbuild/protobuf/reflect";
import {
  AnySchema,
  BoolValueSchema,
  BytesValueSchema,
  DoubleValueSchema,
  Int64ValueSchema,
  ListValueSchema,
  NullValue,
  StringValueSchema,
  StructSchema,
  UInt64ValueSchema,
  ValueSchema,
} from "@bufbuild/protobuf/wkt";
import type { Any, ListValue, Struct, Value } from "@bufbuild/protobuf/wkt";
import { base64Encode } from "@bufbuild/protobuf/wire";
import { encodeMessage } from "./encode.ts";

/** Packs a value: a message as itself, a scalar in its wrapper, a list or map as JSON. An Any stays what it is. */
export function toAny(value: CelValue, registry: Registry): Any {
  if (isReflectMessage(value) && isMessage(value.message, AnySchema)) return value.message;
  return pack(packable(value, registry));
}

/** The JSON of a value as google.protobuf.Value: whole numbers beyond 2^53, NaN and infinities become text, as JSON demands. */
export function toValue(value: CelValue, registry: Registry): Value {
  return create(ValueSchema, { kind: toKind(value, registry) });
}

/** The JSON object of a map with text keys. */
export function toStruct(value: CelValue, registry: Registry): Struct {
  if (!isCelMap(value)) throw new Error("a map is expected");
  const struct = create(StructSchema);
  for (const [key, entry] of value) {
    if (typeof key !== "string") throw new Error("the keys of a JSON object are text");
    Object.defineProperty(struct.fields, key, {
      value: toValue(entry, registry),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return struct;
}

/** The JSON array of a list. */
export function toListValue(value: CelValue, registry: Registry): ListValue {
  if (!isCelList(value)) throw new Error("a list is expected");
  return create(ListValueSchema, { values: [...value].map((entry) => toValue(entry, registry)) });
}

function pack(message: ReflectMessage): Any {
  return create(AnySchema, { typeUrl: `type.googleapis.com/${message.desc.typeName}`, value: encodeMessage(message) });
}

function packable(value: CelValue, registry: Registry): ReflectMessage {
  if (isReflectMessage(value)) return value;
  if (isCelList(value)) return reflect(ListValueSchema, toListValue(value, registry), false);
  if (isCelMap(value)) return reflect(StructSchema, toStruct(value, registry), false);
  if (isCelUint(value)) return reflect(UInt64ValueSchema, create(UInt64ValueSchema, { value: value.value }), false);
  if (value instanceof Uint8Array) return reflect(BytesValueSchema, create(BytesValueSchema, { value }), false);
  switch (typeof value) {
    case "string":
      return reflect(StringValueSchema, create(StringValueSchema, { value }), false);
    case "boolean":
      return reflect(BoolValueSchema, create(BoolValueSchema, { value }), false);
    case "bigint":
      return reflect(Int64ValueSchema, create(Int64ValueSchema, { value }), false);
    case "number":
      return reflect(DoubleValueSchema, create(DoubleValueSchema, { value }), false);
    default:
      if (value === null) return reflect(ValueSchema, toValue(value, registry), false);
      throw new Error("a type can't be packed into google.protobuf.Any");
  }
}

function toKind(value: CelValue, registry: Registry): Value["kind"] {
  if (value === null) return { case: "nullValue", value: NullValue.NULL_VALUE };
  if (isCelUint(value)) return wholeKind(value.value);
  if (isCelList(value)) return { case: "listValue", value: toListValue(value, registry) };
  if (isCelMap(value)) return { case: "structValue", value: toStruct(value, registry) };
  if (value instanceof Uint8Array) return { case: "stringValue", value: base64Encode(value) };
  if (isReflectMessage(value)) return fromJson(ValueSchema, toJson(value.desc, value.message, { registry })).kind;
  switch (typeof value) {
    case "string":
      return { case: "stringValue", value };
    case "boolean":
      return { case: "boolValue", value };
    case "bigint":
      return wholeKind(value);
    case "number":
      return Number.isFinite(value) ? { case: "numberValue", value } : { case: "stringValue", value: String(value) };
    default:
      throw new Error("a type has no JSON form");
  }
}

function wholeKind(value: bigint): Value["kind"] {
  const exact = value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER);
  return exact ? { case: "numberValue", value: Number(value) } : { case: "stringValue", value: String(value) };
}
