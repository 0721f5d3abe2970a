import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import type { DescField, FileRegistry } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { trimDescriptors } from "./descriptors.ts";
import { buildContract, buildModules } from "./testing.ts";

const registry = createFileRegistry(buildContract());

function trimmed(...names: readonly string[]): FileRegistry {
  return createFileRegistry(fromBinary(FileDescriptorSetSchema, trimDescriptors(registry, names)));
}

function namesIn(found: FileRegistry): readonly string[] {
  return [...found].map((type) => type.typeName).toSorted();
}

/** All that decides how a field's bytes are read and its value is shown. */
function meaningOf(field: DescField): unknown {
  return {
    number: field.number,
    name: field.name,
    jsonName: field.jsonName,
    kind: field.fieldKind,
    of: field.message?.typeName ?? field.enum?.typeName ?? field.scalar,
    key: field.fieldKind === "map" ? field.mapKey : undefined,
    presence: field.presence,
    oneof: field.oneof?.name,
    packed: field.fieldKind === "list" ? field.packed : undefined,
    delimited: "delimitedEncoding" in field ? field.delimitedEncoding : undefined,
    utf8: field.utf8Validation,
    fallback: field.fieldKind === "scalar" || field.fieldKind === "enum" ? String(field.getDefaultValue()) : undefined,
    isOpen: field.enum?.open,
  };
}

function meaningOfType(type: ReturnType<FileRegistry["get"]>): unknown {
  switch (type?.kind) {
    case "message":
      return [type.typeName, type.fields.map(meaningOf)];
    case "enum":
      return [type.typeName, type.open, type.values.map((value) => [value.number, value.name])];
    case "extension":
    case "service":
    case undefined:
      throw new Error(`${type?.typeName ?? "nothing"} does not belong here`);
  }
}

describe("trimmed descriptors", () => {
  it.each(["contract.v1.Closed", "contract.v1.Featured", "contract.v1.Everything", "google.protobuf.Timestamp"])(
    "mean the same for %s and all it refers to",
    (name) => {
      const types = [...trimmed(name)].filter((type) => type.typeName !== "contract.v1.Deep");
      expect(types.map((type) => type.typeName)).toContain(name);
      expect(types.map(meaningOfType)).toEqual(types.map((type) => meaningOfType(registry.get(type.typeName))));
    },
  );

  it("leave out what nothing refers to, and keep a shell around what is nested", () => {
    const found = trimmed("contract.v1.Closed");
    expect(namesIn(found)).toEqual([
      "contract.v1.Closed",
      "contract.v1.Closed.Inner",
      "contract.v1.Closed.Level",
      "contract.v1.Deep",
      "contract.v1.Deep.Kind",
      "contract.v1.Deep.Leaf",
      "contract.v1.Deep.Unwanted",
    ]);
    expect(found.getMessage("contract.v1.Deep")?.fields).toEqual([]);
  });

  it("of an enum hold the enum alone", () => {
    expect(namesIn(trimmed("contract.v1.Colour"))).toEqual(["contract.v1.Colour"]);
  });

  it("don't hang on the order of the names", () => {
    const one = trimDescriptors(registry, ["contract.v1.Order", "contract.v1.Closed"]);
    expect(trimDescriptors(registry, ["contract.v1.Closed", "contract.v1.Order"])).toEqual(one);
  });

  it("keep what is said of fields and oneofs, at their new places, where the image has comments", () => {
    const image = fromBinary(
      FileDescriptorSetSchema,
      buildModules(["examples/order/proto", "examples/tour/proto"], []),
    );
    const set = fromBinary(
      FileDescriptorSetSchema,
      trimDescriptors(createFileRegistry(image), ["tour.v1.VisitRequest", "google.protobuf.Timestamp"]),
    );
    const told = set.file.flatMap((file) =>
      (file.sourceCodeInfo?.location ?? []).map(({ path, leadingComments }) => {
        const [, message = -1, , field = -1] = path;
        return `${file.messageType[message]?.name}.${file.messageType[message]?.field[field]?.name}: ${leadingComments}`;
      }),
    );
    expect(told).toContain("VisitRequest.notes: Free words, by name.");
    expect(told.filter((text) => text.startsWith("Timestamp"))).toEqual([]);
  });
});
