import { create, createFileRegistry, fromJson, toBinary, toJson } from "@bufbuild/protobuf";
import type { DescMessage, JsonValue } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema, file_google_protobuf_any } from "@bufbuild/protobuf/wkt";
import { fromBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { shownBytes, shownDetails } from "./redact.ts";

const [bool, string, group, message] = [8, 9, 10, 11];
const [optional, repeated] = [1, 3];
const redact = { debugRedact: true };
const file = create(FileDescriptorProtoSchema, {
  name: "card.proto",
  package: "card",
  syntax: "proto2",
  dependency: ["google/protobuf/any.proto"],
  messageType: [
    {
      name: "Card",
      extensionRange: [{ start: 200, end: 300 }],
      field: [
        { name: "id", jsonName: "id", number: 1, label: optional, type: string },
        { name: "pin", jsonName: "pin", number: 2, label: optional, type: string, options: redact },
        { name: "pins", jsonName: "pins", number: 3, label: repeated, type: string, options: redact },
        { name: "inner", jsonName: "inner", number: 4, label: optional, type: message, typeName: ".card.Card" },
        {
          name: "whole",
          jsonName: "whole",
          number: 5,
          label: optional,
          type: message,
          typeName: ".card.Card",
          options: redact,
        },
        { name: "cards", jsonName: "cards", number: 6, label: repeated, type: message, typeName: ".card.Card" },
        { name: "any", jsonName: "any", number: 7, label: optional, type: message, typeName: ".google.protobuf.Any" },
        {
          name: "owned",
          jsonName: "owned",
          number: 8,
          label: repeated,
          type: message,
          typeName: ".card.Card.OwnedEntry",
        },
        { name: "side", jsonName: "side", number: 9, label: optional, type: group, typeName: ".card.Card.Side" },
        { name: "plain", jsonName: "plain", number: 10, label: optional, type: message, typeName: ".card.Plain" },
        {
          name: "labels",
          jsonName: "labels",
          number: 11,
          label: repeated,
          type: message,
          typeName: ".card.Card.LabelsEntry",
          options: redact,
        },
      ],
      nestedType: [
        {
          name: "Side",
          field: [
            { name: "pin", jsonName: "pin", number: 1, label: optional, type: string, options: redact },
            { name: "open", jsonName: "open", number: 2, label: optional, type: bool },
          ],
        },
        {
          name: "OwnedEntry",
          options: { mapEntry: true },
          field: [
            { name: "key", jsonName: "key", number: 1, label: optional, type: string },
            { name: "value", jsonName: "value", number: 2, label: optional, type: message, typeName: ".card.Card" },
          ],
        },
        {
          name: "LabelsEntry",
          options: { mapEntry: true },
          field: [
            { name: "key", jsonName: "key", number: 1, label: optional, type: string },
            { name: "value", jsonName: "value", number: 2, label: optional, type: string },
          ],
        },
      ],
    },
    { name: "Plain", field: [{ name: "id", jsonName: "id", number: 1, label: optional, type: string }] },
  ],
});
const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: [file_google_protobuf_any.proto, file] }));

function typeNamed(name: string): DescMessage {
  const found = registry.getMessage(name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}

const card = typeNamed("card.Card");
const bytesOf = (json: JsonValue): Uint8Array => toBinary(card, fromJson(card, json, { registry }));
const shown = (bytes: Uint8Array): JsonValue =>
  toJson(card, fromBinary(card, shownBytes(registry, "card.Card", bytes)), { registry });

describe("what is declared debug_redact", () => {
  test.each<[string, JsonValue, JsonValue]>([
    ["a field", { id: "a", pin: "1" }, { id: "a" }],
    ["a repeated field", { pins: ["1", "2"], id: "a" }, { id: "a" }],
    ["a whole message", { whole: { id: "a" }, id: "b" }, { id: "b" }],
    ["a map", { labels: { a: "1" }, id: "b" }, { id: "b" }],
    ["a field in a message", { inner: { id: "a", pin: "1", inner: { pin: "2" } } }, { inner: { id: "a", inner: {} } }],
    ["a field in a list", { cards: [{ pin: "1" }, { id: "b" }] }, { cards: [{}, { id: "b" }] }],
    ["a field in a map's values", { owned: { x: { id: "a", pin: "1" } } }, { owned: { x: { id: "a" } } }],
    ["a field in a group", { side: { pin: "1", open: true }, id: "a" }, { side: { open: true }, id: "a" }],
    [
      "a field in an Any",
      { any: { "@type": "type.googleapis.com/card.Card", id: "a", pin: "1" } },
      { any: { "@type": "type.googleapis.com/card.Card", id: "a" } },
    ],
  ])("is not shown: %s", (_, given, expected) => {
    expect(shown(bytesOf(given))).toEqual(expected);
  });

  test("is not shown in lists and maps that a run keeps", () => {
    const one = bytesOf({ id: "a", pin: "1" });
    const list = Uint8Array.of(0x0a, one.length, ...one);
    const kept = shownBytes(registry, "list(card.Card)", list);
    expect(kept.subarray(2)).toEqual(bytesOf({ id: "a" }));
  });

  test("may stand in an extension: none is shown", () => {
    const extended = Uint8Array.of(...bytesOf({ id: "a" }), 0xc2, 0x0c, 1, 0x31);
    expect(shownBytes(registry, "card.Card", extended)).toEqual(bytesOf({ id: "a" }));
  });

  test("takes what nobody can look into with it", () => {
    expect(shownBytes(registry, "card.Card", Uint8Array.of(0x0a, 9, 1))).toEqual(new Uint8Array());
    expect(shownBytes(registry, "card.Unknown", Uint8Array.of(1))).toEqual(new Uint8Array());
    const any = { typeUrl: "x/card.Unknown", value: Uint8Array.of(1) };
    expect(shownDetails(registry, [any])).toEqual([{ typeUrl: "x/card.Unknown", value: new Uint8Array() }]);
  });

  test("leaves the rest as it came: bytes without such fields are the same, unknown fields stay", () => {
    const plain = Uint8Array.of(0x0a, 1, 0x61);
    expect(shownBytes(registry, "card.Plain", plain)).toBe(plain);
    const unknown = Uint8Array.of(0x12, 1, 0x31, 0xa2, 0x06, 1, 7);
    expect(shownBytes(registry, "card.Card", unknown)).toEqual(Uint8Array.of(0xa2, 0x06, 1, 7));
    const info = { typeUrl: "type.googleapis.com/google.rpc.RetryInfo", value: Uint8Array.of(1) };
    expect(shownDetails(registry, [info])).toEqual([info]);
  });
});
