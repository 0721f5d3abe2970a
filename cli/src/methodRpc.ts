import { fromBinary } from "@bufbuild/protobuf";
import type { Registry } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { splitMethod } from "../../proto/wire/subjects.ts";
import { toRegistry } from "../../proto/json/registry.ts";
import { buildImage } from "./buildImage.ts";
import { CliFailure, exit } from "./failure.ts";
import type { FrontClient } from "./frontClient.ts";

/** What an rpc takes and answers with, and the types of both. */
export interface MethodTypes {
  readonly requestType: string;
  readonly responseType: string;
  /** One message each way. */
  readonly isUnary: boolean;
  readonly registry: Registry;
}

/** Types of any rpc: from a folder of .proto files, else from the orchestrator's reflection. Throws CliFailure. */
export async function methodTypes(
  client: FrontClient,
  method: string,
  protoFolder: string | undefined,
): Promise<MethodTypes> {
  const { service, name } = splitMethod(method);
  const registry =
    protoFolder === undefined
      ? toRegistry((await client.describe(service)) ?? [])
      : await registryOfFolder(protoFolder);
  const found = registry.getService(service)?.methods.find((one) => one.name === name);
  if (found === undefined) {
    const where = protoFolder ?? `the orchestrator at ${client.address}`;
    const next =
      "give the folder of its .proto files: --proto <folder>; the orchestrator describes only what it serves";
    throw new CliFailure(exit.usage, `the types of ${method} are not known`, where, next);
  }
  const isUnary = found.methodKind === "unary";
  return { requestType: found.input.typeName, responseType: found.output.typeName, isUnary, registry };
}

async function registryOfFolder(folder: string): Promise<Registry> {
  const built = await buildImage(folder);
  switch (built.kind) {
    case "built":
      return toRegistry(fromBinary(FileDescriptorSetSchema, built.image).file);
    case "wrong":
      throw new CliFailure(
        exit.error,
        "the .proto files can't be compiled",
        folder,
        `\`sidestep check ${folder}\` says why`,
      );
    case "failed":
      throw new CliFailure(exit.error, built.what, built.where, built.next);
  }
}
