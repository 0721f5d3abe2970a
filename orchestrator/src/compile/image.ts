import { create, createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import type { DescService, FileRegistry } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import type { FileDescriptorProto } from "@bufbuild/protobuf/wkt";

/** A FileDescriptorSet that holds together, or why it can't be used. */
export type ParsedImage =
  | { readonly kind: "ok"; readonly registry: FileRegistry; readonly services: readonly DescService[] }
  | { readonly kind: "wrong"; readonly message: string; readonly hint: string };

/** Reads a google.protobuf.FileDescriptorSet of unknown origin; never throws. */
export function parseImage(image: Uint8Array): ParsedImage {
  try {
    const set = fromBinary(FileDescriptorSetSchema, image);
    const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: inDependencyOrder(set.file) }));
    const services = [...registry].filter((found) => found.kind === "service");
    return { kind: "ok", registry, services: services.toSorted((a, b) => (a.typeName < b.typeName ? -1 : 1)) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return {
      kind: "wrong",
      message: `the image is not a complete google.protobuf.FileDescriptorSet: ${reason.slice(0, 200)}`,
      hint: "build it with `buf build -o image.binpb`, or with protoc --include_imports --descriptor_set_out=image.binpb",
    };
  }
}

/** First segments of all packages in the image: names that an identifier would hide. */
export function firstSegmentsOfPackages(registry: FileRegistry): ReadonlySet<string> {
  const found = new Set<string>();
  for (const file of registry.files) {
    const first = file.proto.package.split(".")[0];
    if (first !== undefined && first !== "") found.add(first);
  }
  return found;
}

/** Each file once, after those it imports; sets put together by hand come in any order. */
function inDependencyOrder(files: readonly FileDescriptorProto[]): FileDescriptorProto[] {
  const byName = new Map(files.toReversed().map((file) => [file.name, file]));
  const ordered: FileDescriptorProto[] = [];
  const begun = new Set<string>();
  const visit = (file: FileDescriptorProto): void => {
    if (begun.has(file.name)) return;
    begun.add(file.name);
    for (const name of file.dependency) {
      const imported = byName.get(name);
      if (imported !== undefined) visit(imported);
    }
    ordered.push(file);
  };
  for (const file of byName.values()) visit(file);
  return ordered;
}
