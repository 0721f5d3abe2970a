import { createFileRegistry, createRegistry } from "@bufbuild/protobuf";
import { StringValueSchema, file_google_protobuf_timestamp } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { toKeptForm } from "./expression/kept.ts";
import { parseValueType } from "./expression/value.ts";
import { toJsonText } from "./keptJson.ts";
import { toKeptList } from "./keptList.ts";

const registry = createRegistry(createFileRegistry(), StringValueSchema, ...file_google_protobuf_timestamp.messages);

function kept(type: string, value: string | bigint | boolean | number): { type: string; bytes: Uint8Array } {
  const parsed = parseValueType(type, registry, "");
  if (parsed.kind === "wrong") throw new Error(parsed.message);
  return { type, bytes: toKeptForm(parsed, registry).encode(value) };
}

test.each([
  ["int64", [1n, 0n, -5n], '["1","0","-5"]'],
  ["uint64", [0n], '["0"]'],
  ["double", [0, 1.5], "[0,1.5]"],
  ["float", [0, 1.5], "[0,1.5]"],
  ["bool", [false, true], "[false,true]"],
  ["string", ["", "a", ""], '["","a",""]'],
])("a list of %s holds its elements in order, zeros included", (type, values, json) => {
  const list = toKeptList(
    `list(${type})`,
    values.map((value) => kept(type, value)),
    registry,
  );
  expect(list?.type).toBe(`list(${type})`);
  expect(toJsonText(list ?? kept("bool", false), registry)).toBe(json);
});

test("a list of messages holds their bytes, empty ones included", () => {
  const type = "google.protobuf.Timestamp";
  const list = toKeptList(
    `list(${type})`,
    [
      { type, bytes: Uint8Array.of(0x08, 1) },
      { type, bytes: new Uint8Array() },
    ],
    registry,
  );
  expect(toJsonText(list ?? kept("bool", false), registry)).toBe('["1970-01-01T00:00:01Z","1970-01-01T00:00:00Z"]');
});

test("a step without a type, or with a branch without a value, has no result", () => {
  expect(toKeptList("", [kept("bool", true)], registry)).toBeUndefined();
  expect(toKeptList("list(bool)", [kept("bool", true), undefined], registry)).toBeUndefined();
});

test("a single value shows as JSON, zeros included", () => {
  expect(toJsonText(kept("int64", 0n), registry)).toBe('"0"');
  expect(toJsonText(kept("string", ""), registry)).toBe('""');
  expect(toJsonText(kept("string", "c-1"), registry)).toBe('"c-1"');
});

test("a value that JSON has no form for shows as nothing", () => {
  const after9999 = Uint8Array.of(0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01);
  expect(toJsonText({ type: "google.protobuf.Timestamp", bytes: after9999 }, registry)).toBe("");
  expect(toJsonText({ type: "google.protobuf.Timestamp", bytes: Uint8Array.of(0xff) }, registry)).toBe("");
});
