import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import type { FileDescriptorProto } from "@bufbuild/protobuf/wkt";
import type { ExposedService } from "./exposure.ts";

/** Number of our option on rpcs: a service that has it is served by the orchestrator, not by a service process. */
const workflowOption = 51_701;

/** A file as reflection sends it. Throws when the bytes are not one. */
export function parseFile(bytes: Uint8Array): FileDescriptorProto {
  return fromBinary(FileDescriptorProtoSchema, bytes);
}

/** The services of a FileDescriptorSet that a process may implement. Throws when the bytes are not one. */
export function servicesOfSet(bytes: Uint8Array): readonly ExposedService[] {
  const { file } = fromBinary(FileDescriptorSetSchema, bytes);
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
export function servicesOf(files: readonly FileDescriptorProto[]): readonly ExposedService[] {
  return files.flatMap((file) =>
    file.service.map((service) => ({
      service: fullName(file.package, service.name),
      methods: service.method.map((method) => ({
        name: method.name,
        kind: method.clientStreaming ? "clientStreaming" : method.serverStreaming ? "serverStreaming" : "unary",
      })),
    })),
  );
}

function isWorkflow(method: FileDescriptorProto["service"][number]["method"][number]): boolean {
  return method.options?.$unknown?.some((field) => field.no === workflowOption) ?? false;
}

function fullName(packageName: string, name: string): string {
  return packageName === "" ? name : `${packageName}.${name}`;
}
