import { execFileSync } from "node:child_process";
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import type { FileRegistry } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

const root = new URL("../../../../../", import.meta.url).pathname;

/** Builds a folder of .proto files (relative to the repository) with the buf that the repository pins. */
export function buildImage(folder: string): FileRegistry {
  const image = execFileSync(`${root}node_modules/.bin/buf`, ["build", `${root}${folder}`, "-o", "-#format=binpb"], {
    maxBuffer: 64 * 1024 * 1024,
  });
  return createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
}
