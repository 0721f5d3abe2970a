import {
  createFileRegistry,
  createRegistry,
  fromBinary,
  fromJsonString,
  toBinary,
  toJson,
  clone,
  create,
} from "@bufbuild/protobuf";
import type { DescMessage, JsonValue, Registry } from "@bufbuild/protobuf";
import { DescriptorProtoSchema, FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import type { FileDescriptorProto } from "@bufbuild/protobuf/wkt";
import { imageBase64 } from "../../proto/gen/image.ts";
import { CliFailure, exit } from "./failure.ts";
import { holdsRedacted, redactJson } from "./redactedJson.ts";

/** Messages of ours, those of google.rpc, and those of the given files by their full names. */
export function toRegistry(files: readonly FileDescriptorProto[] = []): Registry {
  const own = fromBinary(FileDescriptorSetSchema, Buffer.from(imageBase64, "base64")).file;
  const rpc = own.flatMap((file) =>
    file.package === internalPackage && file.name.endsWith("/rpc.proto") ? [asGoogleRpc(file)] : [],
  );
  // Types of the files win over ours of the same name: they are what the service was built with.
  return createRegistry(
    createFileRegistry(create(FileDescriptorSetSchema, { file: [...own, ...rpc] })),
    registryOf(files),
  );
}

/**
 * The bytes of a message as protobuf JSON, to be read by people: what is declared `debug_redact` is marked, and of an Any of unknown type only the
 * type is shown.
 */
export function bytesToJson(registry: Registry, type: string, bytes: Uint8Array): string {
  return JSON.stringify(bytesToShown(registry, type, bytes), undefined, 2);
}

/** The same on one line, for tables. */
export function bytesToLine(registry: Registry, type: string, bytes: Uint8Array): string {
  return JSON.stringify(bytesToShown(registry, type, bytes));
}

/** bytesToJson, or the size of what has no JSON form, such as a Timestamp after the year 9999. */
export function bytesToText(registry: Registry, type: string, bytes: Uint8Array): string {
  try {
    return bytesToJson(registry, type, bytes);
  } catch (error) {
    if (!(error instanceof CliFailure)) throw error;
    return `${bytes.length} bytes (${error.message})`;
  }
}

function bytesToShown(registry: Registry, type: string, bytes: Uint8Array): JsonValue {
  const description = descriptor(registry, type);
  return redactJson(registry, description, jsonOf(registry, description, bytes));
}

function jsonOf(registry: Registry, description: DescMessage, bytes: Uint8Array): JsonValue {
  try {
    return toJson(description, fromBinary(description, bytes), { registry: withUnknownTypes(registry) });
  } catch (error) {
    // The reason may quote a value.
    const reason = !holdsRedacted(description) && error instanceof Error ? `: ${error.message}` : "";
    const what = `${description.typeName} as it came can't be shown as JSON${reason}`;
    throw new CliFailure(exit.error, what, "the answer", "read it with a client of its contract", error);
  }
}

/** A message's bytes from protobuf JSON, with camelCase or snake_case names. */
export function jsonToBytes(registry: Registry, type: string, json: string): Uint8Array {
  const description = descriptor(registry, type);
  try {
    return toBinary(description, fromJsonString(description, json, { registry }));
  } catch (error) {
    const told = error instanceof Error ? error.message : String(error);
    // What follows may quote a value.
    const reason = holdsRedacted(description) ? told.replace(/ from JSON\b.*$/s, " from JSON") : told;
    throw new CliFailure(
      exit.usage,
      `the request is no ${type}: ${reason}`,
      "-d, --request",
      "mend the JSON; names are those of the .proto",
      error,
    );
  }
}

/** Whether the type behind an Any's URL is known. */
export function knowsType(registry: Registry, typeUrl: string): boolean {
  return registry.getMessage(typeUrl.slice(typeUrl.lastIndexOf("/") + 1)) !== undefined;
}

/** An Any's content on one line. */
export function anyToLine(registry: Registry, any: { readonly typeUrl: string; readonly value: Uint8Array }): string {
  const name = any.typeUrl.slice(any.typeUrl.lastIndexOf("/") + 1);
  return knowsType(registry, any.typeUrl)
    ? `${name} ${bytesToLine(registry, name, any.value)}`
    : `${name} (${any.value.length} bytes)`;
}

const internalPackage = "sidestep.internal.v1";

function descriptor(registry: Registry, type: string) {
  const found = registry.getMessage(type);
  if (found !== undefined) return found;
  throw new CliFailure(
    exit.error,
    `the type ${type} is not known`,
    "the orchestrator's reflection",
    "deploy the workflow's image again",
  );
}

/** The registry with an empty message for each name that it does not know. */
function withUnknownTypes(registry: Registry): Registry {
  return {
    kind: "registry",
    [Symbol.iterator]: () => registry[Symbol.iterator](),
    get: (name) => registry.get(name),
    getMessage: (name) => registry.getMessage(name) ?? emptyMessage(name),
    getEnum: (name) => registry.getEnum(name),
    getExtension: (name) => registry.getExtension(name),
    getExtensionFor: (message, number) => registry.getExtensionFor(message, number),
    getService: (name) => registry.getService(name),
  };
}

function emptyMessage(name: string) {
  const dot = name.lastIndexOf(".");
  const messageType = [create(DescriptorProtoSchema, { name: name.slice(dot + 1) })];
  const packageName = dot < 0 ? "" : name.slice(0, dot);
  const file = create(FileDescriptorProtoSchema, {
    name: `${name}.proto`,
    package: packageName,
    syntax: "proto3",
    messageType,
  });
  return registryOf([file]).getMessage(name);
}

/** Files in any order; a registry wants imports first. */
function registryOf(files: readonly FileDescriptorProto[]): Registry {
  const byName = new Map(files.map((file) => [file.name, file]));
  const sorted = new Map<string, FileDescriptorProto>();
  const visit = (file: FileDescriptorProto, above: ReadonlySet<string>): void => {
    if (sorted.has(file.name) || above.has(file.name)) return;
    const inside = new Set([...above, file.name]);
    for (const name of file.dependency) {
      const needed = byName.get(name);
      if (needed !== undefined) visit(needed, inside);
    }
    sorted.set(file.name, file);
  };
  for (const file of files) visit(file, new Set());
  return createFileRegistry(create(FileDescriptorSetSchema, { file: [...sorted.values()] }));
}

/** Our own copies of google.rpc's messages under the names that travel in Any. */
function asGoogleRpc(file: FileDescriptorProto): FileDescriptorProto {
  const copy = clone(FileDescriptorProtoSchema, file);
  copy.name = "google/rpc/own.proto";
  copy.package = "google.rpc";
  for (const message of copy.messageType) {
    if (message.name === "RpcStatus") message.name = "Status";
    for (const field of message.field) field.typeName = field.typeName.replace(`.${internalPackage}.`, ".google.rpc.");
  }
  return copy;
}
