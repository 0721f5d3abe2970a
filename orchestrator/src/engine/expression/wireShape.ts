import { ScalarType } from "@bufbuild/protobuf";
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";

/** What is told of a message's bytes without decoding them. */
export interface MessageShape {
  /** Ascending by number. One that is not among them can't be told: a map, a group, a oneof's, a closed enum. */
  readonly fields: readonly FieldShape[];
}

/** How one field stands in the one encoding of its message. */
export interface FieldShape {
  readonly number: number;
  readonly wire: WireType;
  readonly value: ValueShape;
  /** Records of that number may follow each other. */
  readonly repeats: boolean;
  /** Where it holds the default it is not written. */
  readonly isImplicit: boolean;
}

export type ValueShape =
  | { readonly kind: "varint"; readonly range: VarintRange }
  | { readonly kind: "fixed"; readonly sizeBytes: 4 | 8; readonly isFloat: boolean }
  | { readonly kind: "text" }
  | { readonly kind: "bytes" }
  | { readonly kind: "message"; readonly desc: DescMessage }
  | { readonly kind: "packed"; readonly element: Exclude<ValueShape, { readonly kind: "packed" }> };

/** What a varint may say; "int32" goes over ten bytes below 0. */
export type VarintRange = "bool" | "int32" | "uint32" | "64";

const shapes = new WeakMap<DescMessage, MessageShape>();

/** The shape of a message; made once. */
export function shapeOf(desc: DescMessage): MessageShape {
  const known = shapes.get(desc);
  if (known !== undefined) return known;
  // Where one has to be set, its absence is a failure.
  const isTold = desc.fields.every(({ presence }) => presence !== requiredPresence);
  const fields = isTold ? desc.fields.flatMap((field) => toShape(field) ?? []) : [];
  const shape = { fields: fields.toSorted((a, b) => a.number - b.number) };
  shapes.set(desc, shape);
  return shape;
}

/** FeatureSet.FieldPresence.IMPLICIT and LEGACY_REQUIRED */
export const implicitPresence = 2;
const requiredPresence = 3;

function toShape(field: DescField): FieldShape | undefined {
  if (field.oneof !== undefined || ("delimitedEncoding" in field && field.delimitedEncoding)) return undefined;
  const { number } = field;
  const isImplicit = field.presence === implicitPresence;
  switch (field.fieldKind) {
    case "map":
      return undefined;
    case "scalar":
    case "enum":
    case "message": {
      const value = toValue(field);
      return value === undefined
        ? undefined
        : { number, wire: wireOf(value), value, repeats: false, isImplicit: isImplicit && value.kind !== "message" };
    }
    case "list": {
      const element = toValue(field);
      if (element === undefined || element.kind === "packed") return undefined;
      const value: ValueShape = field.packed ? { kind: "packed", element } : element;
      return { number, wire: wireOf(value), value, repeats: !field.packed, isImplicit: false };
    }
  }
}

function toValue({ scalar, enum: closed, message }: DescField): ValueShape | undefined {
  if (message !== undefined) return { kind: "message", desc: message };
  if (closed !== undefined) return closed.open ? { kind: "varint", range: "int32" } : undefined;
  return scalar === undefined ? undefined : toScalar(scalar);
}

function toScalar(scalar: ScalarType): ValueShape {
  switch (scalar) {
    case ScalarType.STRING:
      return { kind: "text" };
    case ScalarType.BYTES:
      return { kind: "bytes" };
    case ScalarType.BOOL:
      return { kind: "varint", range: "bool" };
    case ScalarType.INT32:
      return { kind: "varint", range: "int32" };
    case ScalarType.UINT32:
    case ScalarType.SINT32:
      return { kind: "varint", range: "uint32" };
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
      return { kind: "varint", range: "64" };
    case ScalarType.FLOAT:
      return { kind: "fixed", sizeBytes: 4, isFloat: true };
    case ScalarType.DOUBLE:
      return { kind: "fixed", sizeBytes: 8, isFloat: true };
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return { kind: "fixed", sizeBytes: 4, isFloat: false };
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return { kind: "fixed", sizeBytes: 8, isFloat: false };
  }
}

function wireOf(value: ValueShape): WireType {
  switch (value.kind) {
    case "varint":
      return WireType.Varint;
    case "fixed":
      return value.sizeBytes === 4 ? WireType.Bit32 : WireType.Bit64;
    case "text":
    case "bytes":
    case "message":
    case "packed":
      return WireType.LengthDelimited;
  }
}
