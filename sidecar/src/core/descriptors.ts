import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { FileOutline, FileSetOutline } from "../../../proto/gen/sidestep/internal/v1/outline.ts";
import type { MethodOutline } from "../../../proto/gen/sidestep/internal/v1/outline.ts";
import type { ExposedService } from "./exposure.ts";

/** A file as its server sent it. */
export type DescribedFile = { readonly outline: FileOutline; readonly bytes: Uint8Array };

/** A google.protobuf.FileDescriptorSet of the files, the same whatever order they came in. */
export function toFileSet(files: readonly DescribedFile[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const { bytes } of files.toSorted((a, b) => (a.outline.name < b.outline.name ? -1 : 1)))
    writer.tag(fileOfSet, WireType.LengthDelimited).bytes(bytes);
  return writer.finish();
}

/** Number of FileDescriptorSet.file. */
const fileOfSet = 1;

/** A google.protobuf.FileDescriptorProto as reflection sends it. Throws when the bytes are not one. */
export function parseFile(bytes: Uint8Array): FileOutline {
  return FileOutline.decode(bytes);
}

/** The services of a google.protobuf.FileDescriptorSet that a process may implement. Throws when the bytes are not one. */
export function servicesOfSet(bytes: Uint8Array): readonly ExposedService[] {
  const { file } = FileSetOutline.decode(bytes);
  const workflows = new Set(
    file.flatMap((one) =>
      one.service
        .filter((service) => service.method.some(isWorkflow))
        .map((service) => fullName(one.package, service.name)),
    ),
  );
  return servicesOf(file).filter((one) => !workflows.has(one.service));
}

/**
 * The services in files that reflection sent, in any order. Only names of services and methods are read, and nothing is resolved: so the
 * descriptors of servers that rebuild them (@grpc/reflection over protobufjs: relative type names, map entries under another name,
 * proto3_optional lost, imports left out) do as well as sound ones.
 */
export function servicesOf(files: readonly FileOutline[]): readonly ExposedService[] {
  return files.flatMap((file) =>
    file.service.map((service) => ({
      service: fullName(file.package, service.name),
      methods: service.method.map((method) => ({
        name: method.name,
        kind: method.clientStreaming ? "clientStreaming" : method.serverStreaming ? "serverStreaming" : "unary",
        isIdempotent: (method.options?.idempotencyLevel ?? 0) > 0,
      })),
    })),
  );
}

/** Those are served by the orchestrator, not by a service process. */
function isWorkflow(method: MethodOutline): boolean {
  return method.options?.workflow !== undefined;
}

function fullName(packageName: string, name: string): string {
  return packageName === "" ? name : `${packageName}.${name}`;
}
