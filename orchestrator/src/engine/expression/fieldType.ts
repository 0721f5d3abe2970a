import { ScalarType } from "@bufbuild/protobuf";
import { FieldDescriptorProto_Type } from "@bufbuild/protobuf/wkt";
import type { ElementType } from "./value.ts";

/** How a descriptor names the type of a field that holds such an element. */
export function fieldTypeOf(type: ElementType): FieldDescriptorProto_Type {
  switch (type.kind) {
    case "message":
      return FieldDescriptorProto_Type.MESSAGE;
    case "enum":
      return FieldDescriptorProto_Type.ENUM;
    case "scalar":
      return scalarFieldTypes[type.scalar];
  }
}

const scalarFieldTypes: Readonly<Record<ScalarType, FieldDescriptorProto_Type>> = {
  [ScalarType.DOUBLE]: FieldDescriptorProto_Type.DOUBLE,
  [ScalarType.FLOAT]: FieldDescriptorProto_Type.FLOAT,
  [ScalarType.INT64]: FieldDescriptorProto_Type.INT64,
  [ScalarType.UINT64]: FieldDescriptorProto_Type.UINT64,
  [ScalarType.INT32]: FieldDescriptorProto_Type.INT32,
  [ScalarType.FIXED64]: FieldDescriptorProto_Type.FIXED64,
  [ScalarType.FIXED32]: FieldDescriptorProto_Type.FIXED32,
  [ScalarType.BOOL]: FieldDescriptorProto_Type.BOOL,
  [ScalarType.STRING]: FieldDescriptorProto_Type.STRING,
  [ScalarType.BYTES]: FieldDescriptorProto_Type.BYTES,
  [ScalarType.UINT32]: FieldDescriptorProto_Type.UINT32,
  [ScalarType.SFIXED32]: FieldDescriptorProto_Type.SFIXED32,
  [ScalarType.SFIXED64]: FieldDescriptorProto_Type.SFIXED64,
  [ScalarType.SINT32]: FieldDescriptorProto_Type.SINT32,
  [ScalarType.SINT64]: FieldDescriptorProto_Type.SINT64,
};
