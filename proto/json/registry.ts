import { clone, create, createFileRegistry, createRegistry, fromBinary } from "@bufbuild/protobuf";
import type { DescMessage, Registry } from "@bufbuild/protobuf";
import { DescriptorProtoSchema, FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import type { FileDescriptorProto } from "@bufbuild/protobuf/wkt";
import { imageBase64 } from "../gen/image.ts";

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

/** The registry with an empty message for each name that it does not know: of an Any of such a type, the type is shown. */
export function withUnknownTypes(registry: Registry): Registry {
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

const internalPackage = "sidestep.internal.v1";

function emptyMessage(name: string): DescMessage | undefined {
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
