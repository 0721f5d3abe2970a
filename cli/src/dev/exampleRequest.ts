import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { inventJson } from "../../../proto/json/invent.ts";

/** A request of a workflow on one line, with made-up values, to stand between single quotes in a shell. */
export function exampleRequest(image: Uint8Array, workflow: string): string {
  const [service = "", method = ""] = workflow.split("/");
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
  const found = registry.getService(service)?.methods.find(({ name }) => name === method);
  const json = found === undefined ? {} : inventJson(found.input, { seed: 1 });
  return JSON.stringify(json).replaceAll("'", "\\u0027");
}
