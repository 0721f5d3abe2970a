import { create, createFileRegistry } from "@bufbuild/protobuf";
import type { DescFile, DescMessage } from "@bufbuild/protobuf";
import {
  DescriptorProtoSchema,
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FieldDescriptorProtoSchema,
  FieldOptionsSchema,
  FileDescriptorProtoSchema,
  MessageOptionsSchema,
} from "@bufbuild/protobuf/wkt";
import type { DescriptorProto, FieldDescriptorProto } from "@bufbuild/protobuf/wkt";
import { fieldTypeOf } from "../engine/expression/fieldType.ts";
import type { ElementType, ValueType } from "../engine/expression/value.ts";
import type { Context } from "./context.ts";
import { addTypes } from "./messageType.ts";

/** A field of a message that no contract has. */
export interface SynthesizedField {
  readonly name: string;
  readonly type: ValueType;
}

/**
 * Makes the message sidestep.plan.<name> with these fields, numbered from 1 in their order; the plan's descriptors hold it. It is the result
 * of a loop whose carries the fields are.
 */
export function synthesize(context: Context, name: string, fields: readonly SynthesizedField[]): DescMessage {
  const dependency = new Set<string>();
  const message = create(DescriptorProtoSchema, { name });
  for (const [index, field] of fields.entries())
    message.field.push(toField(field, index + 1, name, message, dependency));
  const file = create(FileDescriptorProtoSchema, {
    name: `sidestep/plan/${name}.proto`,
    package: "sidestep.plan",
    syntax: "proto3",
    dependency: [...dependency].toSorted(),
    messageType: [message],
  });
  for (const [index, { type }] of fields.entries()) {
    if (type.isRedacted === true && message.field[index] !== undefined)
      message.field[index].options = create(FieldOptionsSchema, { debugRedact: true });
  }
  const found = createFileRegistry(file, (needed) => fileNamed(context, needed)).getMessage(`sidestep.plan.${name}`);
  if (found === undefined) throw new Error(`sidestep.plan.${name} was just made`);
  for (const { type } of fields) addTypes(context.types, type);
  context.synthesized.push(found);
  return found;
}

/** A field may hold the result of another loop. */
function fileNamed({ registry, synthesized }: Context, name: string): DescFile | undefined {
  return registry.getFile(name) ?? synthesized.find(({ file }) => file.proto.name === name)?.file;
}

function toField(
  { name, type }: SynthesizedField,
  number: number,
  parent: string,
  message: DescriptorProto,
  dependency: Set<string>,
): FieldDescriptorProto {
  switch (type.kind) {
    case "scalar":
    case "enum":
    case "message":
      return single(name, number, type, dependency);
    case "list":
      return create(FieldDescriptorProtoSchema, {
        ...single(name, number, type.element, dependency),
        label: FieldDescriptorProto_Label.REPEATED,
      });
    case "map": {
      const entry = `${camelCase(name)}Entry`;
      message.nestedType.push(
        create(DescriptorProtoSchema, {
          name: entry,
          field: [
            single("key", 1, { kind: "scalar", scalar: type.key }, dependency),
            single("value", 2, type.value, dependency),
          ],
          options: create(MessageOptionsSchema, { mapEntry: true }),
        }),
      );
      return create(FieldDescriptorProtoSchema, {
        name,
        number,
        label: FieldDescriptorProto_Label.REPEATED,
        type: FieldDescriptorProto_Type.MESSAGE,
        typeName: `.sidestep.plan.${parent}.${entry}`,
      });
    }
  }
}

function single(name: string, number: number, type: ElementType, dependency: Set<string>): FieldDescriptorProto {
  const label = FieldDescriptorProto_Label.OPTIONAL;
  switch (type.kind) {
    case "scalar":
      return create(FieldDescriptorProtoSchema, { name, number, label, type: fieldTypeOf(type) });
    case "enum":
      dependency.add(type.enum.file.proto.name);
      return create(FieldDescriptorProtoSchema, {
        name,
        number,
        label,
        type: FieldDescriptorProto_Type.ENUM,
        typeName: `.${type.enum.typeName}`,
      });
    case "message":
      dependency.add(type.message.file.proto.name);
      return create(FieldDescriptorProtoSchema, {
        name,
        number,
        label,
        type: FieldDescriptorProto_Type.MESSAGE,
        typeName: `.${type.message.typeName}`,
      });
  }
}

/** As protoc names the entries of maps. */
function camelCase(name: string): string {
  return name.replaceAll(/(?:^|_)([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
