import { fromBinary } from "@bufbuild/protobuf";
import {
  FeatureSet_EnumType,
  FeatureSet_FieldPresence,
  FeatureSet_MessageEncoding,
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import type {
  DescriptorProto,
  EnumDescriptorProto,
  FeatureSet,
  FieldDescriptorProto,
  FileDescriptorProto,
} from "@bufbuild/protobuf/wkt";

/** Methods, messages and enums as they are on the wire. What a name leads to may be unknown: whoever compares lets that pass. */
export interface Contract {
  /** By "package.Service/Method". */
  readonly methods: ReadonlyMap<string, MethodShape>;
  /** Full names of services that are described. */
  readonly services: ReadonlySet<string>;
  readonly messages: ReadonlyMap<string, MessageShape>;
  readonly enums: ReadonlyMap<string, EnumShape>;
}

export interface MethodShape {
  readonly request: string;
  readonly response: string;
  readonly clientStreaming: boolean;
  readonly serverStreaming: boolean;
}

export interface MessageShape {
  readonly name: string;
  readonly fields: ReadonlyMap<number, FieldShape>;
}

export interface FieldShape {
  readonly number: number;
  readonly name: string;
  readonly type: TypeShape;
  readonly isList: boolean;
  readonly isRequired: boolean;
  /** Name of the oneof that it is one of. */
  readonly oneof: string | undefined;
}

export type TypeShape =
  | { readonly kind: "scalar"; readonly scalar: FieldDescriptorProto_Type }
  | { readonly kind: "message"; readonly name: string; readonly isDelimited: boolean }
  | { readonly kind: "enum"; readonly name: string }
  /** Its name leads nowhere. */
  | { readonly kind: "unknown" };

export interface EnumShape {
  readonly values: ReadonlyMap<number, string>;
  /** A value it doesn't know is no value at all. */
  readonly isClosed: boolean;
}

/**
 * Reads a google.protobuf.FileDescriptorSet, whole or not; undefined when the bytes are none. Names are looked up from the inside out where
 * they are relative, and files may be missing: servers that rebuild their descriptors (@grpc/reflection) send such.
 */
export function readContract(bytes: Uint8Array): Contract | undefined {
  try {
    return toContract(fromBinary(FileDescriptorSetSchema, bytes).file);
  } catch {
    return undefined;
  }
}

interface Draft {
  readonly methods: Map<string, MethodShape>;
  readonly services: Set<string>;
  readonly messages: Map<string, MessageShape>;
  readonly enums: Map<string, EnumShape>;
  /** Of everything that has a name: what it is. */
  readonly kinds: Map<string, "message" | "enum">;
}

/** What a file says of all that is in it, where nothing inside says otherwise. */
interface FileDefaults {
  readonly isProto2: boolean;
  readonly features: FeatureSet | undefined;
}

function toContract(files: readonly FileDescriptorProto[]): Contract {
  const draft: Draft = {
    methods: new Map(),
    services: new Set(),
    messages: new Map(),
    enums: new Map(),
    kinds: new Map(),
  };
  for (const file of files) {
    for (const message of file.messageType) nameMessage(draft, file.package, message);
    for (const one of file.enumType) draft.kinds.set(within(file.package, one.name), "enum");
  }
  for (const file of files) {
    const isProto2 = file.syntax === "proto2" || (file.syntax === "" && file.edition === 0);
    const defaults: FileDefaults = { isProto2, features: file.options?.features };
    for (const message of file.messageType) addMessage(draft, file.package, message, defaults);
    for (const one of file.enumType) draft.enums.set(within(file.package, one.name), toEnum(one, defaults));
    for (const service of file.service) {
      const name = within(file.package, service.name);
      draft.services.add(name);
      for (const method of service.method)
        draft.methods.set(`${name}/${method.name}`, {
          request: resolve(draft, method.inputType, name) ?? "",
          response: resolve(draft, method.outputType, name) ?? "",
          clientStreaming: method.clientStreaming,
          serverStreaming: method.serverStreaming,
        });
    }
  }
  return draft;
}

function nameMessage(draft: Draft, scope: string, message: DescriptorProto): void {
  const name = within(scope, message.name);
  draft.kinds.set(name, "message");
  for (const one of message.enumType) draft.kinds.set(within(name, one.name), "enum");
  for (const nested of message.nestedType) nameMessage(draft, name, nested);
}

function addMessage(draft: Draft, scope: string, message: DescriptorProto, defaults: FileDefaults): void {
  const name = within(scope, message.name);
  const fields = message.field.map((field) => toField(draft, name, message, field, defaults));
  draft.messages.set(name, { name, fields: new Map(fields.map((field) => [field.number, field])) });
  for (const one of message.enumType) draft.enums.set(within(name, one.name), toEnum(one, defaults));
  for (const nested of message.nestedType) addMessage(draft, name, nested, defaults);
}

function toField(
  draft: Draft,
  scope: string,
  message: DescriptorProto,
  field: FieldDescriptorProto,
  { features }: FileDefaults,
): FieldShape {
  const own = field.options?.features;
  const presence = own?.fieldPresence ?? features?.fieldPresence;
  // A field with presence of its own stands in a oneof that only says so.
  const oneof = isInOneof(field) ? message.oneofDecl[field.oneofIndex]?.name : undefined;
  return {
    number: field.number,
    name: field.name,
    type: toType(draft, scope, field, own?.messageEncoding ?? features?.messageEncoding),
    isList: field.label === FieldDescriptorProto_Label.REPEATED,
    isRequired:
      field.label === FieldDescriptorProto_Label.REQUIRED || presence === FeatureSet_FieldPresence.LEGACY_REQUIRED,
    oneof,
  };
}

function isInOneof(field: FieldDescriptorProto): boolean {
  return Object.hasOwn(field, "oneofIndex") && !field.proto3Optional;
}

function toType(
  draft: Draft,
  scope: string,
  { type, typeName }: FieldDescriptorProto,
  encoding: FeatureSet_MessageEncoding | undefined,
): TypeShape {
  const isGroup = type === FieldDescriptorProto_Type.GROUP;
  if (!isGroup && type !== FieldDescriptorProto_Type.MESSAGE && type !== FieldDescriptorProto_Type.ENUM)
    return typeName === "" ? { kind: "scalar", scalar: type } : { kind: "unknown" };
  const name = resolve(draft, typeName, scope);
  if (name === undefined) return { kind: "unknown" };
  if (draft.kinds.get(name) === "enum") return { kind: "enum", name };
  return { kind: "message", name, isDelimited: isGroup || encoding === FeatureSet_MessageEncoding.DELIMITED };
}

function toEnum(one: EnumDescriptorProto, { isProto2, features }: FileDefaults): EnumShape {
  const type = one.options?.features?.enumType ?? features?.enumType;
  return {
    values: new Map(one.value.toReversed().map(({ number, name }) => [number, name])),
    isClosed: type === FeatureSet_EnumType.CLOSED || (isProto2 && type === undefined),
  };
}

/** The full name of what a name means where it stands; undefined: nothing that is known. */
function resolve({ kinds }: Pick<Draft, "kinds">, name: string, scope: string): string | undefined {
  if (name.startsWith(".")) return kinds.has(name.slice(1)) ? name.slice(1) : undefined;
  for (let at = scope; ; at = at.slice(0, Math.max(0, at.lastIndexOf(".")))) {
    const full = within(at, name);
    if (kinds.has(full)) return full;
    if (at === "") return undefined;
  }
}

function within(scope: string, name: string): string {
  return scope === "" ? name : `${scope}.${name}`;
}
