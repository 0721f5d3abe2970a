import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { describe, expect, test } from "vitest";
import { bytesOf, checkAs, hex, mapping, scopeOf, typeNamed } from "./testing/expression.ts";

const everything = "kinds.v1.Everything";
type Json = Parameters<typeof bytesOf>[1];

function built(source: string, message: string, input: Json = {}, inputType = everything): string {
  const result = mapping(source, message, inputType, bytesOf(inputType, input));
  return result.kind === "value" ? hex(result.value.bytes) : `${result.message} at ${result.offset}`;
}

/** What the mapping yields when that is not the expected message; undefined when it is. */
function difference(
  source: string,
  message: string,
  input: Json,
  expected: Json,
  inputType = everything,
): string | undefined {
  const found = built(source, message, input, inputType);
  return found === hex(bytesOf(message, expected)) ? undefined : found;
}

function issuesOf(source: string, message: string, inputType = everything): readonly string[] {
  const result = checkAs(source, { kind: "value", type: typeNamed(message) }, scopeOf({ input: inputType }));
  return result.kind === "ok" ? [] : result.issues.map((issue) => issue.message);
}

describe("a oneof", () => {
  const copy =
    "{text: input.present.text, number: input.present.number, piece: input.present.piece, wrapped: input.present.wrapped}";

  test("copied arm by arm, has the arm that is set, and none when none is", () => {
    for (const arm of [{ text: "" }, { number: "0" }, { piece: {} }, { wrapped: "" }, { number: "7" }, {}]) {
      expect(difference(copy, "kinds.v1.Present", { present: arm }, arm)).toBeUndefined();
    }
  });

  test("refuses two arms that are both set, when it is checked and when it runs", () => {
    expect(issuesOf("{text: 'a', number: 1}", "kinds.v1.Present")).toEqual([
      "'text' and 'number' are both set, but only one of the oneof 'choice' can be",
    ]);
    expect(issuesOf("{text: 'a', number: input.present.number}", "kinds.v1.Present")).toHaveLength(1);
    const two = "{text: input.present.text, number: input.present.int64}";
    expect(difference(two, "kinds.v1.Present", { present: { int64: "1" } }, { number: "1" })).toBeUndefined();
    expect(built(two, "kinds.v1.Present", { present: { text: "a", int64: "1" } })).toBe(
      "field 'number' of kinds.v1.Present: 'text' of the oneof 'choice' is set already at 49",
    );
  });
});

describe("presence", () => {
  test("passes through conditions, nested messages and comprehensions", () => {
    const source =
      "{parts: input.parts.map(p, {name: p.name, count: p.count, inner: p.inner}), present: {part: {count: input.present.int32}}}";
    const parts = [{ name: "a" }, { count: 0 }, { inner: { name: "" } }, { count: 3, inner: { tags: ["x"] } }];
    expect(difference(source, everything, { parts }, { parts, present: { part: {} } })).toBeUndefined();
    expect(
      difference(
        "{int32: input.plain.bool ? input.present.int32 : 5}",
        "kinds.v1.Present",
        { plain: { bool: true } },
        {},
      ),
    ).toBeUndefined();
    expect(
      difference("{int32: input.plain.bool ? input.present.int32 : 5}", "kinds.v1.Present", {}, { int32: 5 }),
    ).toBeUndefined();
  });

  test("is not copied where the selection is part of a larger expression", () => {
    expect(difference("{int32: input.present.int32 + 0}", "kinds.v1.Present", {}, { int32: 0 })).toBeUndefined();
    expect(difference("{string: input.present.string + ''}", "kinds.v1.Present", {}, { string: "" })).toBeUndefined();
  });

  test("of a message behind an unset message is unset", () => {
    expect(
      difference("{part: input.present.part.inner, int32: input.present.part.count}", "kinds.v1.Present", {}, {}),
    ).toBeUndefined();
  });

  test("of a default of one's own is copied too, and its value is read where presence can't be", () => {
    const legacy = "legacy.v1.Required";
    expect(difference("{id: 'a', size: input.size}", legacy, { id: "x" }, { id: "a" }, legacy)).toBeUndefined();
    expect(difference("{int32: input.size}", "kinds.v1.Plain", { id: "x" }, { int32: 7 }, legacy)).toBeUndefined();
  });
});

describe("messages", () => {
  test("are written alike with bare and quoted names, by name and by place", () => {
    const expected = { part: { name: "n", inner: { name: "m" } } };
    for (const source of [
      "{part: {name: 'n', inner: {name: 'm'}}}",
      "{'part': {'name': 'n', 'inner': {'name': 'm'}}}",
      "kinds.v1.Present{part: Part{name: 'n', inner: .kinds.v1.Part{name: 'm'}}}",
      "{part: input.plain.bool ? {} : {name: 'n', inner: {name: 'm'}}}",
    ]) {
      expect(difference(source, "kinds.v1.Present", {}, expected)).toBeUndefined();
    }
  });

  test("keep the unknown fields of what is copied", () => {
    const part = new BinaryWriter().tag(99, WireType.Varint).uint32(7).finish();
    const input = new BinaryWriter()
      .tag(2, WireType.LengthDelimited)
      .fork()
      .tag(17, WireType.LengthDelimited)
      .bytes(part)
      .join()
      .finish();
    const result = mapping("{part: input.present.part}", "kinds.v1.Present", everything, input);
    expect(result.kind === "value" && hex(result.value.bytes)).toBe("8a0103980607");
  });

  test("without maps are written as the protobuf library writes them, with maps in the same form", () => {
    const json = {
      plain: { int32: 1, bool: true },
      present: { text: "x" },
      lists: { int32: [1, 2], part: [{ name: "a" }] },
    };
    expect(
      difference("{plain: input.plain, present: input.present, lists: input.lists}", everything, json, json),
    ).toBeUndefined();
  });

  test("of proto2: groups, closed enums, required fields", () => {
    const legacy = "legacy.v1.Required";
    const json = { id: "a", level: "LOW", box: { label: "b", weights: [1, 2] }, levels: ["LOW", "HIGH"] };
    expect(
      difference(
        "{id: 'a', level: legacy.v1.Level.LOW, box: {label: 'b', weights: [1, 2]}, levels: [LOW, HIGH]}",
        legacy,
        {},
        json,
      ),
    ).toBeUndefined();
    expect(
      difference(
        "{id: input.id, box: input.box, levels: input.levels, level: input.level}",
        legacy,
        json,
        json,
        legacy,
      ),
    ).toBeUndefined();
    expect(issuesOf("{size: 1}", legacy)).toEqual(["required field 'id' of legacy.v1.Required is missing"]);
    expect(issuesOf("{id: 'a', level: 3}", legacy)).toEqual(["3 is no value of legacy.v1.Level"]);
    expect(built("{id: 'a', level: input.plain.int32}", legacy, { plain: { int32: 3 } })).toBe(
      "field 'level' of legacy.v1.Required: 3 is no value of legacy.v1.Level at 29",
    );
  });

  test("of editions: presence, delimited encoding, expanded lists, required fields", () => {
    const mixed = "edition.v1.Mixed";
    const literal =
      "{explicit: '', implicit: '', required: 'r', delimited: {text: 'd'}, delimited_list: [{text: 'e'}], expanded: [1, 2], closed: CLOSED_B}";
    expect(built(literal, mixed)).toBe("0a001a0172230a0164242b0a01652c300130023802");
    const json = {
      explicit: "",
      required: "r",
      delimited: { text: "d" },
      delimitedList: [{ text: "e" }],
      expanded: [1, 2],
      closed: "CLOSED_B",
    };
    const copy =
      "{explicit: input.explicit, implicit: input.implicit, required: input.required, delimited: input.delimited, delimited_list: input.delimited_list, expanded: input.expanded, closed: input.closed}";
    expect(difference(copy, mixed, json, json, mixed)).toBeUndefined();
    const unset = mapping("{required: input.required}", mixed, mixed, new Uint8Array());
    expect(unset.kind === "failed" && unset.message).toBe("required field 'required' of edition.v1.Mixed is not set");
  });

  test("in a list or map of messages are built in place", () => {
    expect(
      difference(
        "{part: {'a': {name: input.plain.string}}, duration: {'d': duration('1h')}}",
        "kinds.v1.Maps",
        { plain: { string: "n" } },
        { part: { a: { name: "n" } }, duration: { d: "3600s" } },
      ),
    ).toBeUndefined();
  });
});

describe("numbers", () => {
  test("that don't fit their field fail with the place of the value", () => {
    const input = { plain: { int64: "2147483648", uint64: "4294967296" } };
    expect(built("{int32: input.plain.int64}", "kinds.v1.Plain", input)).toBe(
      "field 'int32' of kinds.v1.Plain: 2147483648 does not fit int32 at 20",
    );
    expect(built("{uint32: input.plain.uint64}", "kinds.v1.Plain", input)).toBe(
      "field 'uint32' of kinds.v1.Plain: 4294967296 does not fit uint32 at 21",
    );
    expect(built("{color: input.plain.int64}", "kinds.v1.Plain", input)).toBe(
      "field 'color' of kinds.v1.Plain: 2147483648 does not fit int32 at 20",
    );
    expect(built("{int32: {2147483648 + input.plain.int64: 1}}", "kinds.v1.Maps")).toBe(
      "field 'int32' of kinds.v1.Maps: 2147483648 does not fit int32 at 8",
    );
  });

  test("NaN, infinities and minus zero are written as protobuf has them", () => {
    expect(built("{double: double('NaN')}", "kinds.v1.Plain")).toBe("09000000000000f87f");
    expect(built("{double: 1.0 / 0.0, float: -1.0 / 0.0}", "kinds.v1.Plain")).toBe("09000000000000f07f15000080ff");
    expect(built("{double: -0.0}", "kinds.v1.Plain")).toBe("090000000000000080");
    expect(built("{float: 16777217.0}", "kinds.v1.Plain")).toBe("150000804b");
  });

  test("of an open enum that nobody named are kept", () => {
    expect(
      difference("{color: input.plain.color}", "kinds.v1.Present", { plain: { color: 77 } }, { color: 77 }),
    ).toBeUndefined();
  });
});

test("an Any of a type that nobody here knows is passed on as it is", () => {
  const any = new BinaryWriter().tag(1, WireType.LengthDelimited).string("example.org/nobody.Knows").finish();
  const known = new BinaryWriter().tag(6, WireType.LengthDelimited).bytes(any).finish();
  const input = new BinaryWriter().tag(3, WireType.LengthDelimited).bytes(known).finish();
  const kept = mapping("input.known.any", "google.protobuf.Any", everything, input);
  expect(kept.kind === "value" && hex(kept.value.bytes)).toBe(hex(any));
  const listed = mapping("[input.known.any].map(a, a)", "list(google.protobuf.Any)", everything, input);
  expect(listed.kind === "value" && hex(listed.value.bytes)).toBe(`0a1a${hex(any)}`);
  const copied = mapping("{any: input.known.any}", "kinds.v1.Known", everything, input);
  expect(copied.kind === "value" && hex(copied.value.bytes)).toBe(hex(known));
});

test("text that is cut inside a character is refused", () => {
  expect(built("{string: '😀'.substring(0, 1)}", "kinds.v1.Plain")).toContain("the text is not Unicode");
});
