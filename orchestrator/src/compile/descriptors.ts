import { clearField, clone, create, isFieldSet, toBinary } from "@bufbuild/protobuf";
import type { DescEnum, DescFile, DescMessage, FileRegistry, MessageShape } from "@bufbuild/protobuf";
import {
  DescriptorProtoSchema,
  EnumDescriptorProtoSchema,
  EnumOptionsSchema,
  EnumValueDescriptorProtoSchema,
  FieldDescriptorProtoSchema,
  FieldOptionsSchema,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  FileOptionsSchema,
  MessageOptionsSchema,
} from "@bufbuild/protobuf/wkt";
import type {
  DescriptorProto,
  EnumDescriptorProto,
  FieldDescriptorProto,
  FileDescriptorProto,
} from "@bufbuild/protobuf/wkt";
import { commentsFor } from "./comments.ts";
import { reachableFrom } from "./reachable.ts";

/**
 * A google.protobuf.FileDescriptorSet, as bytes, with the named types and what they refer to, and nothing else: no services,
 * extensions or options that don't change how bytes are read or shown; of comments those of fields and oneofs, which forms show. `synthesized` are messages that the registry lacks, each alone in its file.
 * Deterministic. Files come after those they import.
 */
export function trimDescriptors(
  registry: FileRegistry,
  names: Iterable<string>,
  synthesized: readonly DescMessage[] = [],
): Uint8Array {
  const kept = reachableFrom(registry, names);
  const files = new Map<string, DescFile>();
  const imports = new Map<string, Set<string>>();
  for (const type of kept.values()) {
    const name = type.file.proto.name;
    files.set(name, type.file);
    const imported = imports.get(name) ?? new Set();
    imports.set(name, imported);
    if (type.kind === "enum") continue;
    for (const field of type.fields) {
      const from = (field.message ?? field.enum)?.file.proto.name;
      if (from !== undefined && from !== name) imported.add(from);
    }
  }
  const ordered: FileDescriptorProto[] = [];
  const done = new Set<string>();
  const emit = (name: string): void => {
    const file = files.get(name);
    if (file === undefined || done.has(name)) return;
    done.add(name);
    const dependency = [...(imports.get(name) ?? [])].toSorted();
    for (const other of dependency) emit(other);
    ordered.push(trimFile(file, dependency, kept));
  };
  for (const name of [...files.keys()].toSorted()) emit(name);
  ordered.push(...synthesized.map((message) => message.file.proto));
  return toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: ordered }));
}

type Kept = ReadonlyMap<string, DescMessage | DescEnum>;

const ofFields = new Set([
  "name",
  "number",
  "label",
  "type",
  "type_name",
  "default_value",
  "json_name",
  "proto3_optional",
  "oneof_index",
  "options",
]);
const ofFieldOptions = new Set(["packed", "features", "debug_redact"]);
const ofMessageOptions = new Set(["map_entry", "message_set_wire_format", "features"]);
const ofEnumOptions = new Set(["allow_alias", "features"]);

function trimFile(file: DescFile, dependency: string[], kept: Kept): FileDescriptorProto {
  const { proto } = file;
  const features = proto.options?.features;
  const trimmed = create(FileDescriptorProtoSchema, {
    dependency,
    messageType: trimMessages(file.messages, kept),
    enumType: trimEnums(file.enums, kept),
  });
  trimmed.name = proto.name;
  if (proto.package !== "") trimmed.package = proto.package;
  if (isFieldSet(proto, FileDescriptorProtoSchema.field.syntax)) trimmed.syntax = proto.syntax;
  if (isFieldSet(proto, FileDescriptorProtoSchema.field.edition)) trimmed.edition = proto.edition;
  if (features !== undefined) trimmed.options = create(FileOptionsSchema, { features });
  const comments = commentsFor(proto, trimmed);
  if (comments !== undefined) trimmed.sourceCodeInfo = comments;
  return trimmed;
}

function trimMessages(messages: readonly DescMessage[], kept: Kept): DescriptorProto[] {
  return messages.filter((message) => isNeeded(message, kept)).map((message) => trimMessage(message, kept));
}

function isNeeded(message: DescMessage, kept: Kept): boolean {
  if (kept.has(message.typeName)) return true;
  if (message.nestedEnums.some((nested) => kept.has(nested.typeName))) return true;
  return message.nestedMessages.some((nested) => isNeeded(nested, kept));
}

/** The message, or a mere shell of it where only something nested in it is wanted. */
function trimMessage(message: DescMessage, kept: Kept): DescriptorProto {
  const { proto } = message;
  const whole = kept.has(message.typeName);
  const entries = proto.nestedType.filter((nested) => whole && nested.options?.mapEntry === true);
  const trimmed = create(DescriptorProtoSchema, {
    name: proto.name,
    field: whole ? proto.field.map(trimField) : [],
    oneofDecl: whole ? proto.oneofDecl.map((oneof) => ({ name: oneof.name })) : [],
    nestedType: [...trimMessages(message.nestedMessages, kept), ...entries.map(trimMapEntry)],
    enumType: trimEnums(message.nestedEnums, kept),
  });
  if (proto.options !== undefined) trimmed.options = only(MessageOptionsSchema, proto.options, ofMessageOptions);
  return trimmed;
}

function trimMapEntry(proto: DescriptorProto): DescriptorProto {
  const options = create(MessageOptionsSchema, { mapEntry: true });
  return create(DescriptorProtoSchema, { name: proto.name, field: proto.field.map(trimField), options });
}

function trimField(proto: FieldDescriptorProto): FieldDescriptorProto {
  const trimmed = only(FieldDescriptorProtoSchema, proto, ofFields);
  if (trimmed.options !== undefined) trimmed.options = only(FieldOptionsSchema, trimmed.options, ofFieldOptions);
  return trimmed;
}

function trimEnums(enums: readonly DescEnum[], kept: Kept): EnumDescriptorProto[] {
  return enums
    .filter((one) => kept.has(one.typeName))
    .map(({ proto }) => {
      const value = proto.value.map(({ name, number }) => create(EnumValueDescriptorProtoSchema, { name, number }));
      const trimmed = create(EnumDescriptorProtoSchema, { name: proto.name, value });
      if (proto.options !== undefined) trimmed.options = only(EnumOptionsSchema, proto.options, ofEnumOptions);
      return trimmed;
    });
}

/** A copy of the message with these fields alone. */
function only<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
  fields: ReadonlySet<string>,
): MessageShape<Desc> {
  const copy = clone(schema, message);
  for (const field of schema.fields) {
    if (!fields.has(field.name)) clearField(copy, field);
  }
  delete copy.$unknown;
  return copy;
}
