import { createFileRegistry, fromBinary, fromJson, toBinary } from "@bufbuild/protobuf";
import type { DescMessage, JsonValue, Registry } from "@bufbuild/protobuf";
import { base64Decode, base64Encode } from "@bufbuild/protobuf/wire";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

/** The types of a FileDescriptorSet in base64. */
export function readTypes(descriptors: string): Registry {
  return createFileRegistry(fromBinary(FileDescriptorSetSchema, base64Decode(descriptors)));
}

export type Encoded =
  | { readonly kind: "encoded"; readonly base64: string }
  | { readonly kind: "wrong"; readonly message: string };

/** A message's bytes in base64 from its JSON; else what is wrong, for who filled it in. */
export function encode(type: DescMessage, json: JsonValue, registry: Registry): Encoded {
  try {
    return { kind: "encoded", base64: base64Encode(toBinary(type, fromJson(type, json, { registry }))) };
  } catch (error) {
    return {
      kind: "wrong",
      message: error instanceof Error ? error.message.replace(/^cannot decode /, "") : String(error),
    };
  }
}
