import { ScalarType } from "@bufbuild/protobuf";
import type { DescEnum, DescField, DescMessage } from "@bufbuild/protobuf";

/** How one value is filled in. */
export type Shape =
  | { readonly kind: "text"; readonly hint: string; readonly isNumber: boolean }
  | { readonly kind: "flag" }
  | { readonly kind: "choice"; readonly names: readonly string[] }
  | { readonly kind: "instant" }
  | { readonly kind: "json"; readonly hint: string }
  /** A wrapper: a value, or none. */
  | { readonly kind: "optional"; readonly of: Shape }
  | { readonly kind: "message"; readonly type: DescMessage };

/** The shape of a field's value; of a repeated or a map field that of one element. */
export function shapeOf(field: DescField): Shape {
  switch (field.fieldKind) {
    case "scalar":
      return scalarShape(field.scalar);
    case "enum":
      return enumShape(field.enum);
    case "message":
      return messageShape(field.message);
    case "list":
      return field.listKind === "scalar"
        ? scalarShape(field.scalar)
        : field.listKind === "enum"
          ? enumShape(field.enum)
          : messageShape(field.message);
    case "map":
      return field.mapKind === "scalar"
        ? scalarShape(field.scalar)
        : field.mapKind === "enum"
          ? enumShape(field.enum)
          : messageShape(field.message);
  }
}

function enumShape(type: DescEnum): Shape {
  if (type.typeName === "google.protobuf.NullValue") return { kind: "json", hint: "null" };
  return { kind: "choice", names: type.values.map(({ name }) => name) };
}

function scalarShape(type: ScalarType): Shape {
  switch (type) {
    case ScalarType.BOOL:
      return { kind: "flag" };
    case ScalarType.STRING:
      return { kind: "text", hint: "", isNumber: false };
    case ScalarType.BYTES:
      return { kind: "text", hint: "base64", isNumber: false };
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return { kind: "text", hint: "number", isNumber: true };
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.INT32:
    case ScalarType.FIXED64:
    case ScalarType.FIXED32:
    case ScalarType.UINT32:
    case ScalarType.SFIXED32:
    case ScalarType.SFIXED64:
    case ScalarType.SINT32:
    case ScalarType.SINT64:
      return { kind: "text", hint: "whole number", isNumber: true };
  }
}

const wrapper = /^google\.protobuf\.(?:Double|Float|Int64|UInt64|Int32|UInt32|Bool|String|Bytes)Value$/;

function messageShape(type: DescMessage): Shape {
  const [first] = type.fields;
  if (wrapper.test(type.typeName) && first !== undefined) return { kind: "optional", of: shapeOf(first) };
  switch (type.typeName) {
    case "google.protobuf.Timestamp":
      return { kind: "instant" };
    case "google.protobuf.Duration":
      return { kind: "text", hint: "3.5s", isNumber: false };
    case "google.protobuf.FieldMask":
      return { kind: "text", hint: "a,b.c", isNumber: false };
    case "google.protobuf.Any":
      return { kind: "json", hint: '{"@type": "type.googleapis.com/…", …}' };
    case "google.protobuf.Struct":
      return { kind: "json", hint: "{…}" };
    case "google.protobuf.ListValue":
      return { kind: "json", hint: "[…]" };
    case "google.protobuf.Value":
      return { kind: "json", hint: "any JSON" };
    default:
      return { kind: "message", type };
  }
}

/** What a value begins with when it is added. */
export function firstValue(shape: Shape): string | boolean | Record<string, never> | undefined {
  switch (shape.kind) {
    case "text":
      return shape.isNumber ? "0" : "";
    case "flag":
      return false;
    case "choice":
      return shape.names[0] ?? "";
    case "instant":
      return undefined;
    case "json":
      return undefined;
    case "optional":
      return firstValue(shape.of);
    case "message":
      return {};
  }
}
