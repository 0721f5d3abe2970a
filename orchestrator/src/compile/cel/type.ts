import { ScalarType } from "@bufbuild/protobuf";
import type { DescEnum, DescField, DescMessage } from "@bufbuild/protobuf";
import type { ElementType, ValueType } from "../../engine/expression/value.ts";

/** Types without parts. */
export type SimpleKind =
  | "dyn"
  | "error"
  | "null"
  | "bool"
  | "uint"
  | "double"
  | "string"
  | "bytes"
  | "timestamp"
  | "duration"
  | "any";

/** A type of CEL over protobuf descriptors. */
export type CelType =
  | { readonly kind: SimpleKind }
  /** `enum` where the number stands for a value of that enum. */
  | { readonly kind: "int"; readonly enum?: DescEnum }
  | { readonly kind: "list"; readonly element: CelType }
  | { readonly kind: "map"; readonly key: CelType; readonly value: CelType }
  | { readonly kind: "message"; readonly message: DescMessage }
  /** google.protobuf.Int32Value and its kin: the element or null. */
  | { readonly kind: "wrapper"; readonly element: CelType; readonly message: DescMessage | undefined }
  /** The type of a type. */
  | { readonly kind: "type"; readonly of: CelType }
  /** A type of an extension, known by name only. */
  | { readonly kind: "opaque"; readonly name: string; readonly parameters: readonly CelType[] }
  /** Not known yet (number > 0), or a parameter of a declaration (number < 0). */
  | { readonly kind: "unknown"; readonly number: number };

export const dynType: CelType = { kind: "dyn" };
export const errorType: CelType = { kind: "error" };
export const nullType: CelType = { kind: "null" };
export const boolType: CelType = { kind: "bool" };
export const intType: CelType = { kind: "int" };
export const uintType: CelType = { kind: "uint" };
export const doubleType: CelType = { kind: "double" };
export const stringType: CelType = { kind: "string" };
export const bytesType: CelType = { kind: "bytes" };
export const timestampType: CelType = { kind: "timestamp" };
export const durationType: CelType = { kind: "duration" };
export const anyType: CelType = { kind: "any" };

/** A list of `element`. */
export function listOf(element: CelType): CelType {
  return { kind: "list", element };
}

/** A map from `key` to `value`. */
export function mapOf(key: CelType, value: CelType): CelType {
  return { kind: "map", key, value };
}

/** A value of `inside` that may be missing. */
export function optionalOf(inside: CelType): CelType {
  return { kind: "opaque", name: "optional_type", parameters: [inside] };
}

/** Is it the type of a value that may be missing? */
export function isOptionalType(type: CelType): type is CelType & { readonly kind: "opaque" } {
  return type.kind === "opaque" && type.name === "optional_type";
}

/** The CEL type of a message: its well-known meaning, or the message itself. */
export function typeOfMessage(message: DescMessage): CelType {
  switch (message.typeName) {
    case "google.protobuf.Timestamp":
      return timestampType;
    case "google.protobuf.Duration":
      return durationType;
    case "google.protobuf.Any":
      return anyType;
    case "google.protobuf.Value":
      return dynType;
    case "google.protobuf.Struct":
      return mapOf(stringType, dynType);
    case "google.protobuf.ListValue":
      return listOf(dynType);
    case "google.protobuf.BoolValue":
      return { kind: "wrapper", element: boolType, message };
    case "google.protobuf.StringValue":
      return { kind: "wrapper", element: stringType, message };
    case "google.protobuf.BytesValue":
      return { kind: "wrapper", element: bytesType, message };
    case "google.protobuf.Int32Value":
    case "google.protobuf.Int64Value":
      return { kind: "wrapper", element: intType, message };
    case "google.protobuf.UInt32Value":
    case "google.protobuf.UInt64Value":
      return { kind: "wrapper", element: uintType, message };
    case "google.protobuf.FloatValue":
    case "google.protobuf.DoubleValue":
      return { kind: "wrapper", element: doubleType, message };
    default:
      return { kind: "message", message };
  }
}

/** The CEL type of a protobuf scalar. */
export function typeOfScalar(scalar: ScalarType): CelType {
  switch (scalar) {
    case ScalarType.BOOL:
      return boolType;
    case ScalarType.STRING:
      return stringType;
    case ScalarType.BYTES:
      return bytesType;
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return doubleType;
    case ScalarType.UINT32:
    case ScalarType.UINT64:
    case ScalarType.FIXED32:
    case ScalarType.FIXED64:
      return uintType;
    case ScalarType.INT32:
    case ScalarType.INT64:
    case ScalarType.SINT32:
    case ScalarType.SINT64:
    case ScalarType.SFIXED32:
    case ScalarType.SFIXED64:
      return intType;
  }
}

/** The CEL type of a field's value. */
export function typeOfField(field: DescField): CelType {
  return typeOfValue(valueTypeOfField(field));
}

/** The value type of a field. */
export function valueTypeOfField(field: DescField): ValueType {
  switch (field.fieldKind) {
    case "scalar":
      return { kind: "scalar", scalar: field.scalar };
    case "enum":
      return { kind: "enum", enum: field.enum };
    case "message":
      return { kind: "message", message: field.message };
    case "list":
      return { kind: "list", element: elementOfList(field) };
    case "map":
      return { kind: "map", key: field.mapKey, value: elementOfMap(field) };
  }
}

/** The CEL type of a kept value. */
export function typeOfValue(type: ValueType): CelType {
  switch (type.kind) {
    case "scalar":
      return typeOfScalar(type.scalar);
    case "enum":
      return { kind: "int", enum: type.enum };
    case "message":
      return typeOfMessage(type.message);
    case "list":
      return listOf(typeOfValue(type.element));
    case "map":
      return mapOf(typeOfScalar(type.key), typeOfValue(type.value));
  }
}

/** How a type is written in messages. */
export function showType(type: CelType): string {
  switch (type.kind) {
    case "list":
      return `list(${showType(type.element)})`;
    case "map":
      return `map(${showType(type.key)}, ${showType(type.value)})`;
    case "message":
      return type.message.typeName;
    case "wrapper":
      return `wrapper(${showType(type.element)})`;
    case "type":
      return `type(${showType(type.of)})`;
    case "opaque":
      return type.parameters.length === 0 ? type.name : `${type.name}(${type.parameters.map(showType).join(", ")})`;
    case "unknown":
      return "dyn";
    case "int":
    case "dyn":
    case "error":
    case "null":
    case "bool":
    case "uint":
    case "double":
    case "string":
    case "bytes":
    case "timestamp":
    case "duration":
    case "any":
      return type.kind;
  }
}

function elementOfList(field: DescField & { readonly fieldKind: "list" }): ElementType {
  switch (field.listKind) {
    case "scalar":
      return { kind: "scalar", scalar: field.scalar };
    case "enum":
      return { kind: "enum", enum: field.enum };
    case "message":
      return { kind: "message", message: field.message };
  }
}

function elementOfMap(field: DescField & { readonly fieldKind: "map" }): ElementType {
  switch (field.mapKind) {
    case "scalar":
      return { kind: "scalar", scalar: field.scalar };
    case "enum":
      return { kind: "enum", enum: field.enum };
    case "message":
      return { kind: "message", message: field.message };
  }
}
