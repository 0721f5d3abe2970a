import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { describeServices } from "./describedServices.ts";
import type { Contract } from "./describedServices.ts";

/** A service `name` over a file "shared.proto" whose only message is `message`. */
function makeContract(name: string, message: string): Contract {
  const file = [
    create(FileDescriptorProtoSchema, {
      name: "shared.proto",
      messageType: [
        { name: message, nestedType: [{ name: "Inner" }], oneofDecl: [{ name: "arm" }], field: [{ name: "f" }] },
      ],
      extension: [{ name: "mark", extendee: ".google.protobuf.FieldOptions", number: 50_001 }],
    }),
    create(FileDescriptorProtoSchema, {
      name: `${name}.proto`,
      package: `${name}.v1`,
      dependency: ["shared.proto"],
      service: [{ name: "Service", method: [{ name: "Call" }] }],
    }),
  ];
  return {
    services: [`${name}.v1.Service`],
    descriptors: toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file })),
  };
}

const described = describeServices([makeContract("b", "OfB"), makeContract("a", "OfA")]);

test("a service's imports come from its own contract, also when two have different files of one name", () => {
  expect(described.services).toEqual(["a.v1.Service", "b.v1.Service"]);
  const messages = ["a.v1.Service", "b.v1.Service"].map((service) => {
    const [shared] = described.fileOf(service)?.imports() ?? [];
    return fromBinary(FileDescriptorProtoSchema, shared?.bytes ?? new Uint8Array()).messageType[0]?.name;
  });
  expect(messages).toEqual(["OfA", "OfB"]);
});

test("methods, messages, fields and extensions lead to their file", () => {
  expect(described.fileOf("a.v1.Service.Call")?.name).toBe("a.proto");
  for (const symbol of ["OfB", ".OfB", "OfB.Inner", "OfB.arm", "OfB.f", "mark"])
    expect(described.fileOf(symbol)?.name).toBe("shared.proto");
  expect(described.fileOf("OfC")).toBeUndefined();
  expect(described.extensionsOf("google.protobuf.FieldOptions")).toEqual([50_001]);
  expect(described.fileOfExtension("google.protobuf.FieldOptions", 50_001)?.name).toBe("shared.proto");
});
