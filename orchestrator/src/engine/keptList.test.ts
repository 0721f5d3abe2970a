import { createFileRegistry, createRegistry } from "@bufbuild/protobuf";
import { StringValueSchema, file_google_protobuf_timestamp } from "@bufbuild/protobuf/wkt";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { expect, test } from "vitest";
import { toKeptForm } from "./expression/kept.ts";
import { parseValueType } from "./expression/value.ts";
import { toJsonText } from "./keptJson.ts";
import { elementAt, openKeptList, toKeptList, toTexts } from "./keptList.ts";
import type { KeptList } from "./keptList.ts";

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

const numbers = [
  ["int64", [1n, 0n, -5n, 300n]],
  ["uint64", [0n, 18_446_744_073_709_551_615n]],
  ["double", [0, 1.5, -2]],
  ["float", [0, 1.5]],
  ["bool", [false, true, false]],
] as const;

test.each(numbers)("a packed list of %s is split into the same elements as one that is not", (type, values) => {
  const elements = values.map((value) => kept(type, value));
  const plain = toKeptList(`list(${type})`, elements, registry);
  if (plain === undefined) throw new Error("no list");
  const split = openKeptList(plain, registry);
  const packed = openKeptList({ ...plain, bytes: pack(split) }, registry);
  const mixed = openKeptList({ ...plain, bytes: Buffer.concat([pack(split), plain.bytes, pack(split)]) }, registry);
  expect([split.size, packed.size, mixed.size]).toEqual([values.length, values.length, 3 * values.length]);
  for (const [index, element] of elements.entries()) {
    // A zero is left out where it stands alone.
    const written = element.bytes.length > 0 ? element.bytes : elementAt(split, index).bytes;
    for (const found of [
      elementAt(split, index),
      elementAt(packed, index),
      elementAt(mixed, 2 * values.length + index),
    ])
      expect([found.type, Buffer.from(found.bytes).toString("hex")]).toEqual([
        type,
        Buffer.from(written).toString("hex"),
      ]);
  }
});

test("texts and messages are never packed, whatever their bytes look like", () => {
  const texts = ["", "\n\u0001\n", "a"];
  const list = toKeptList(
    "list(string)",
    texts.map((text) => kept("string", text)),
    registry,
  );
  if (list === undefined) throw new Error("no list");
  const split = openKeptList(list, registry);
  expect(split.size).toBe(3);
  expect(texts.map((_, index) => toTexts(elementAt(split, index).bytes)[0])).toEqual(texts);
});

/** The contents of the elements in one field, as other encoders write lists of numbers. */
function pack({ value, starts, ends }: KeptList): Uint8Array {
  const contents = starts.map((start, index) => value.bytes.subarray(start, ends[index]));
  return new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(Buffer.concat(contents)).finish();
}
