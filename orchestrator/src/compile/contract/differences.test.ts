import { create, toBinary } from "@bufbuild/protobuf";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { FieldDescriptorProto_Label as Label, FieldDescriptorProto_Type as Type } from "@bufbuild/protobuf/wkt";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import type { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { readContract } from "./contract.ts";
import type { Contract } from "./contract.ts";
import { differencesOf } from "./differences.ts";
import type { Usage } from "./usage.ts";

type FileShape = MessageInitShape<typeof FileDescriptorProtoSchema>;
type Field = NonNullable<NonNullable<FileShape["messageType"]>[number]["field"]>[number];

const all: Usage = { kind: "all" };
const method = "p.S/M";
const called = { request: "p.In", response: "p.Out", serverStreaming: false };

function field(number: number, name: string, type: Type, more: Partial<Field> = {}): Field {
  return { number, name, type, label: Label.OPTIONAL, ...more } as Field;
}

function repeated(number: number, name: string, type: Type): Field {
  return field(number, name, type, { label: Label.REPEATED });
}

/** A service whose one method takes these fields and answers with those. */
function contract(input: Field[], output: Field[] = [], more: Partial<FileShape> = {}): Contract {
  const file: FileShape = {
    name: "p.proto",
    package: "p",
    syntax: "proto3",
    messageType: [
      { name: "In", field: input, oneofDecl: [{ name: "choice" }] },
      { name: "Out", field: output },
      { name: "Card", field: [field(1, "number", Type.STRING)] },
      { name: "Gift", field: [field(1, "number", Type.INT64)] },
    ],
    enumType: [
      { name: "Kind", value: ["NONE", "CARD", "CASH"].map((name, number) => ({ name, number })) },
      { name: "Less", value: ["NONE", "CARD"].map((name, number) => ({ name, number })) },
    ],
    service: [{ name: "S", method: [{ name: "M", inputType: ".p.In", outputType: ".p.Out" }] }],
    ...more,
  } as FileShape;
  const read = readContract(
    toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: [file as never] })),
  );
  if (read === undefined) throw new Error("no contract");
  return read;
}

function told(known: Contract, there: Contract, usage: { request: Usage; response: Usage }): readonly string[] {
  return differencesOf(method, called, known, there, usage).map(({ part, text }) => `${part}: ${text}`);
}

const toRequest = (before: Field, after: Field | undefined) =>
  told(contract([before]), contract(after === undefined ? [] : [after]), { request: all, response: all });
const toResponse = (before: Field, after: Field | undefined) =>
  told(contract([], [before]), contract([], after === undefined ? [] : [after]), { request: all, response: all });

const one = (type: Type, more: Partial<Field> = {}): Field => field(4, "amount", type, more);
const card = (name: string): Partial<Field> => ({ typeName: `.p.${name}` });

test.each<[string, Field, Field | undefined, readonly string[]]>([
  ["the same", one(Type.INT64), one(Type.INT64), []],
  ["another name", one(Type.INT64), field(4, "total", Type.INT64), []],
  ["gone", one(Type.INT64), undefined, ["field 4 (amount) is gone"]],
  ["wider", one(Type.INT32), one(Type.INT64), []],
  ["narrower", one(Type.INT64), one(Type.INT32), ["field 4 (amount) is written as int64 and read as int32"]],
  ["another sign", one(Type.INT32), one(Type.UINT32), ["field 4 (amount) is written as int32 and read as uint32"]],
  ["zigzag", one(Type.INT64), one(Type.SINT64), ["field 4 (amount) is written as int64 and read as sint64"]],
  ["fixed", one(Type.INT64), one(Type.FIXED64), ["field 4 (amount) is written as int64 and read as fixed64"]],
  ["text as bytes", one(Type.STRING), one(Type.BYTES), []],
  ["bytes as text", one(Type.BYTES), one(Type.STRING), ["field 4 (amount) is written as bytes and read as string"]],
  ["number as text", one(Type.INT64), one(Type.STRING), ["field 4 (amount) is written as int64 and read as string"]],
  ["bool as number", one(Type.BOOL), one(Type.INT32), []],
  ["number as bool", one(Type.INT32), one(Type.BOOL), ["field 4 (amount) is written as int32 and read as bool"]],
  ["one as several", one(Type.STRING), repeated(4, "amount", Type.STRING), []],
  [
    "several as one",
    repeated(4, "amount", Type.STRING),
    one(Type.STRING),
    ["field 4 (amount) was one value, and is several"],
  ],
  ["message moved", one(Type.MESSAGE, card("Card")), one(Type.MESSAGE, card("Card")), []],
  [
    "a field inside has another type",
    one(Type.MESSAGE, card("Card")),
    one(Type.MESSAGE, card("Gift")),
    ["field 1 (number) of amount is written as string and read as int64"],
  ],
  [
    "a group",
    one(Type.MESSAGE, card("Card")),
    one(Type.GROUP, card("Card")),
    ["field 4 (amount) is encoded in another way"],
  ],
  ["enum as number", one(Type.ENUM, card("Kind")), one(Type.INT32), []],
  ["a type nobody describes", one(Type.MESSAGE, card("Card")), one(Type.MESSAGE, card("Lost")), []],
])("a request is read as it is meant, or it is told: %s", (_, before, after, expected) => {
  expect(toRequest(before, after)).toEqual(expected.map((text) => `request: ${text}`));
});

test.each<[string, Field, Field | undefined, readonly string[]]>([
  ["gone", one(Type.INT64), undefined, ["field 4 (amount) is gone"]],
  // The service writes now, so it is the other way round.
  ["wider", one(Type.INT32), one(Type.INT64), ["field 4 (amount) is written as int64 and read as int32"]],
  ["narrower", one(Type.INT64), one(Type.INT32), []],
  [
    "one as several",
    one(Type.STRING),
    repeated(4, "amount", Type.STRING),
    ["field 4 (amount) was one value, and is several"],
  ],
  ["several as one", repeated(4, "amount", Type.STRING), one(Type.STRING), []],
  ["more values of an open enum", one(Type.ENUM, card("Less")), one(Type.ENUM, card("Kind")), []],
])("a response is read as it is meant, or it is told: %s", (_, before, after, expected) => {
  expect(toResponse(before, after)).toEqual(expected.map((text) => `response: ${text}`));
});

test("an enum's value that the service does not know any more is told of a request", () => {
  expect(toRequest(one(Type.ENUM, card("Kind")), one(Type.ENUM, card("Less")))).toEqual([
    "request: field 4 (amount) has no value 2 (CASH) on the other side",
  ]);
});

test("new fields don't matter, unless they are required", () => {
  const known = contract([one(Type.INT64)]);
  const more = { request: all, response: all };
  expect(told(known, contract([one(Type.INT64), field(5, "note", Type.STRING)]), more)).toEqual([]);
  const demanding = contract([one(Type.INT64), field(5, "note", Type.STRING, { label: Label.REQUIRED })]);
  expect(told(known, demanding, more)).toEqual(["request: field 5 (note) is required now"]);
});

test("two fields that exclude each other now are told", () => {
  const known = contract([field(1, "a", Type.STRING), field(2, "b", Type.STRING)]);
  const there = contract([
    field(1, "a", Type.STRING, { oneofIndex: 0 }),
    field(2, "b", Type.STRING, { oneofIndex: 0 }),
  ]);
  const text = "request: field 2 (b) excludes field 1 (a) now";
  expect(told(known, there, { request: all, response: all })).toEqual([text]);
});

test("what the caller does not set may go, and what it does not name of the answer", () => {
  const known = contract([one(Type.INT64), field(5, "note", Type.STRING)], [one(Type.INT64)]);
  const there = contract([field(5, "note", Type.STRING)]);
  const sets = (...numbers: number[]): Usage => ({ kind: "built", fields: new Map([["p.In", new Set(numbers)]]) });
  const names = (...of: string[]): Usage => ({ kind: "named", names: new Set(of) });
  expect(told(known, there, { request: sets(5), response: names("other") })).toEqual([]);
  expect(told(known, there, { request: sets(4, 5), response: names("amount") })).toEqual([
    "request: field 4 (amount) is gone",
    "response: field 4 (amount) is gone",
  ]);
});

test("the method itself may be gone, or stream", () => {
  const known = contract([]);
  const service = (shape: object): Partial<FileShape> => ({ service: [{ name: "S", method: [shape] }] });
  const shapes = { inputType: ".p.In", outputType: ".p.Out" };
  const usage = { request: all, response: all };
  expect(told(known, contract([], [], service({ name: "N", ...shapes })), usage)).toEqual([
    "method: the method is gone",
  ]);
  expect(told(known, contract([], [], service({ name: "M", ...shapes, serverStreaming: true })), usage)).toEqual([
    "method: it returns a stream now",
  ]);
  expect(told(known, contract([], [], service({ name: "M", ...shapes, clientStreaming: true })), usage)).toEqual([
    "method: it takes a stream of requests now",
  ]);
  expect(told(known, contract([], [], { service: [] }), usage)).toEqual([]);
});

test("descriptors that a server has rebuilt are read: relative names, imports left out", () => {
  const known = contract([one(Type.MESSAGE, card("Card")), one(Type.STRING)]);
  const rebuilt = contract(
    [one(Type.MESSAGE, { typeName: "Gift" }), field(6, "when", Type.MESSAGE, { typeName: "Timestamp" })],
    [],
    { service: [{ name: "S", method: [{ name: "M", inputType: "In", outputType: "p.Out" }] }] as never },
  );
  expect(rebuilt.methods.get(method)).toMatchObject({ request: "p.In", response: "p.Out" });
  expect(rebuilt.messages.get("p.In")?.fields.get(6)?.type).toEqual({ kind: "unknown" });
  const cards = contract([one(Type.MESSAGE, card("Card"))]);
  expect(told(cards, rebuilt, { request: all, response: all })).toEqual([
    "request: field 1 (number) of amount is written as string and read as int64",
  ]);
  expect(known.services).toEqual(new Set(["p.S"]));
});
