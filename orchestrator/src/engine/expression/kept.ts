import { celFromScalar, celList, celMap } from "@bufbuild/cel";
import type { CelInput, CelValue } from "@bufbuild/cel";
import { create, createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import type { DescFile, DescMessage, Registry } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import type { ReflectMessage } from "@bufbuild/protobuf/reflect";
import {
  DescriptorProtoSchema,
  FieldDescriptorProtoSchema,
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import type { DescriptorProto, FieldDescriptorProto, FileDescriptorProto } from "@bufbuild/protobuf/wkt";
import { toList, toMap } from "./build.ts";
import { toElement, toMessage } from "./convert.ts";
import { encodeMessage } from "./encode.ts";
import { fieldTypeOf } from "./fieldType.ts";
import { formatValueType } from "./value.ts";
import type { ElementType, ValueType } from "./value.ts";

/** A value type ready to be read and written. */
export interface KeptForm {
  /** The one spelling of the type. */
  readonly type: string;
  readonly decode: (bytes: Uint8Array) => CelInput;
  readonly encode: (value: CelValue) => Uint8Array;
  /** The message that stands for the value on the wire: the message itself, or the holder with field 1. */
  readonly message: DescMessage;
}

/** How values of a type are kept; see ValueType for the form. */
export function toKeptForm(type: ValueType, registry: Registry): KeptForm {
  const name = formatValueType(type);
  if (type.kind === "message") {
    const desc = type.message;
    return {
      type: name,
      message: desc,
      decode: (bytes) => reflect(desc, fromBinary(desc, bytes), false),
      encode: (value) => encodeMessage(toMessage(desc, value, registry)),
    };
  }
  const holder = toHolder(type);
  return {
    type: name,
    message: holder,
    decode: (bytes) => valueIn(reflect(holder, fromBinary(holder, bytes), false)),
    encode: (value) => encodeMessage(holding(holder, type, value, registry)),
  };
}

function valueIn(holder: ReflectMessage): CelInput {
  const field = holder.fields[0];
  switch (field?.fieldKind) {
    case "scalar":
      return celFromScalar(field.scalar, holder.get(field));
    case "enum":
      return BigInt(holder.get(field));
    case "list":
      return celList(holder.get(field));
    case "map":
      return celMap(holder.get(field));
    case "message":
    case undefined:
      throw new Error("a holder has one field of another kind");
  }
}

function holding(desc: DescMessage, type: ValueType, value: CelValue, registry: Registry): ReflectMessage {
  const holder = reflect(desc, undefined, false);
  const field = desc.fields[0];
  if (field === undefined) throw new Error("a holder has one field");
  if (field.fieldKind === "list") holder.set(field, toList(field, value, registry));
  else if (field.fieldKind === "map") holder.set(field, toMap(field, value, registry));
  else if (type.kind !== "list" && type.kind !== "map") holder.set(field, toElement(type, value, registry));
  return holder;
}

const holders = new WeakMap<object, DescMessage>();
const scalarHolders = new Map<string, DescMessage>();

/** The message with one field, number 1, of the type. */
function toHolder(type: ValueType): DescMessage {
  const element = type.kind === "list" ? type.element : type.kind === "map" ? type.value : type;
  if (type.kind !== "list" && type.kind !== "map" && element.kind === "enum")
    return cachedBy(holders, element.enum, type);
  if (element.kind === "scalar") return cachedBy(scalarHolders, formatValueType(type), type);
  return makeHolder(type);
}

interface Cache<K> {
  readonly get: (key: K) => DescMessage | undefined;
  readonly set: (key: K, desc: DescMessage) => unknown;
}

function cachedBy<K>(cache: Cache<K>, key: K, type: ValueType): DescMessage {
  const known = cache.get(key);
  if (known !== undefined) return known;
  const made = makeHolder(type);
  cache.set(key, made);
  return made;
}

function makeHolder(type: ValueType): DescMessage {
  const file = holderFile(type);
  const dependencies = new Map<string, DescFile>();
  const element = type.kind === "list" ? type.element : type.kind === "map" ? type.value : type;
  const foreign =
    element.kind === "message" ? element.message.file : element.kind === "enum" ? element.enum.file : undefined;
  if (foreign !== undefined) dependencies.set(foreign.proto.name, foreign);
  const desc = createFileRegistry(file, (name) => dependencies.get(name)).getMessage("sidestep.kept.Holder");
  if (desc === undefined) throw new Error(`no holder of ${formatValueType(type)}`);
  return desc;
}

function holderFile(type: ValueType): FileDescriptorProto {
  const element = type.kind === "list" ? type.element : type.kind === "map" ? type.value : type;
  const foreign =
    element.kind === "message"
      ? [element.message.file.proto.name]
      : element.kind === "enum"
        ? [element.enum.file.proto.name]
        : [];
  return create(FileDescriptorProtoSchema, {
    name: "sidestep/kept.proto",
    package: "sidestep.kept",
    syntax: "proto3",
    dependency: foreign,
    messageType: [holderMessage(type)],
  });
}

function holderMessage(type: ValueType): DescriptorProto {
  switch (type.kind) {
    case "list":
      return create(DescriptorProtoSchema, {
        name: "Holder",
        field: [toField("value", 1, type.element, FieldDescriptorProto_Label.REPEATED)],
      });
    case "map":
      return create(DescriptorProtoSchema, {
        name: "Holder",
        field: [
          create(FieldDescriptorProtoSchema, {
            name: "value",
            jsonName: "value",
            number: 1,
            label: FieldDescriptorProto_Label.REPEATED,
            type: FieldDescriptorProto_Type.MESSAGE,
            typeName: ".sidestep.kept.Holder.ValueEntry",
          }),
        ],
        nestedType: [
          create(DescriptorProtoSchema, {
            name: "ValueEntry",
            options: { mapEntry: true },
            field: [
              toField("key", 1, { kind: "scalar", scalar: type.key }, FieldDescriptorProto_Label.OPTIONAL),
              toField("value", 2, type.value, FieldDescriptorProto_Label.OPTIONAL),
            ],
          }),
        ],
      });
    case "scalar":
    case "enum":
    case "message": {
      const field = toField("value", 1, type, FieldDescriptorProto_Label.OPTIONAL);
      field.proto3Optional = true;
      field.oneofIndex = 0;
      return create(DescriptorProtoSchema, { name: "Holder", field: [field], oneofDecl: [{ name: "_value" }] });
    }
  }
}

function toField(
  name: string,
  number: number,
  type: ElementType,
  label: FieldDescriptorProto_Label,
): FieldDescriptorProto {
  const field = create(FieldDescriptorProtoSchema, { name, jsonName: name, number, label, type: fieldTypeOf(type) });
  if (type.kind === "message") field.typeName = `.${type.message.typeName}`;
  if (type.kind === "enum") field.typeName = `.${type.enum.typeName}`;
  return field;
}
