import { describe, expect, test } from "vitest";
import { bytesOf, hex, mapping } from "./testing/expression.ts";

const everything = "kinds.v1.Everything";

/** The bytes of a mapping over an Everything, as hexadecimal digits; or what went wrong. */
function bytesOfMapping(source: string, message: string, input: Parameters<typeof bytesOf>[1] = {}): string {
  const result = mapping(source, message, everything, bytesOf(everything, input));
  return result.kind === "value" ? hex(result.value.bytes) : `${result.message} at ${result.offset}`;
}

describe("a scalar or enum field", () => {
  /** Field, a value, its bytes, the zero value, its bytes where the field has presence. */
  const rows: readonly (readonly [string, string, string, string, string])[] = [
    ["double", "1.5", "09000000000000f83f", "0.0", "090000000000000000"],
    ["float", "0.1", "15cdcccc3d", "0.0", "1500000000"],
    ["int32", "-2", "18feffffffffffffffff01", "0", "1800"],
    ["int64", "300", "20ac02", "0", "2000"],
    ["uint32", "4294967295", "28ffffffff0f", "0", "2800"],
    ["uint64", "18446744073709551615u", "30ffffffffffffffffff01", "0u", "3000"],
    ["sint32", "-2", "3803", "0", "3800"],
    ["sint64", "-300", "40d704", "0", "4000"],
    ["fixed32", "1", "4d01000000", "0", "4d00000000"],
    ["fixed64", "1", "510100000000000000", "0", "510000000000000000"],
    ["sfixed32", "-1", "5dffffffff", "0", "5d00000000"],
    ["sfixed64", "-1", "61ffffffffffffffff", "0", "610000000000000000"],
    ["bool", "true", "6801", "false", "6800"],
    ["string", "'é'", "7202c3a9", "''", "7200"],
    ["bytes", "b'\\x00\\xff'", "7a0200ff", "b''", "7a00"],
    ["color", "Color.COLOR_RED", "800101", "COLOR_NONE", "800100"],
  ];
  test.each(rows)(
    "%s: %s is written, zero only where the field has presence",
    (field, value, bytes, zero, zeroBytes) => {
      expect(bytesOfMapping(`{${field}: ${value}}`, "kinds.v1.Plain")).toBe(bytes);
      expect(bytesOfMapping(`{${field}: ${value}}`, "kinds.v1.Present")).toBe(bytes);
      expect(bytesOfMapping(`{${field}: ${zero}}`, "kinds.v1.Plain")).toBe("");
      expect(bytesOfMapping(`{${field}: ${zero}}`, "kinds.v1.Present")).toBe(zeroBytes);
    },
  );

  test.each(rows)("%s: a bare selection copies %s, zero and unset", (field, value, bytes, zero, zeroBytes) => {
    const copied = (source: string, literal: string): string => {
      const input = mapping(`{present: {${literal}}}`, everything, everything, new Uint8Array());
      if (input.kind === "failed") return input.message;
      const result = mapping(source, "kinds.v1.Present", everything, input.value.bytes);
      return result.kind === "value" ? hex(result.value.bytes) : result.message;
    };
    expect(copied(`{${field}: input.present.${field}}`, `${field}: ${value}`)).toBe(bytes);
    expect(copied(`{${field}: input.present.${field}}`, `${field}: ${zero}`)).toBe(zeroBytes);
    expect(copied(`{${field}: input.present.${field}}`, "")).toBe("");
  });
});

describe("a well-known message", () => {
  /** Field, a value, its bytes. */
  const rows: readonly (readonly [string, string, string])[] = [
    ["timestamp", "timestamp('2026-01-01T00:00:00.5Z')", "0a0c0880f2d6ca061080cab5ee01"],
    ["duration", "duration('-1.5s')", "121608ffffffffffffffffff011080b6ca91feffffffff01"],
    [
      "struct",
      "{'b': [1, 'x'], 'a': null}",
      "1a220a070a0161120208000a170a0162121232100a0911000000000000f03f0a031a0178",
    ],
    ["value", "1.5", "220911000000000000f83f"],
    ["list_value", "[true, 2u]", "2a0f0a0220010a09110000000000000040"],
    ["any", "Part{name: 'x'}", "32280a21747970652e676f6f676c65617069732e636f6d2f6b696e64732e76312e5061727412030a0178"],
    ["mask", "{paths: ['a', 'b.c']}", "3a080a01610a03622e63"],
    ["double", "1", "420909000000000000f03f"],
    ["float", "0.5", "4a050d0000003f"],
    ["int64", "-1", "520b08ffffffffffffffffff01"],
    ["uint64", "1", "5a020801"],
    ["int32", "7", "62020807"],
    ["uint32", "7", "6a020807"],
    ["bool", "false", "7200"],
    ["string", "''", "7a00"],
    ["bytes", "b'a'", "8201030a0161"],
  ];
  test.each(rows)("%s: %s is written, and left out when what is selected is unset", (field, value, bytes) => {
    expect(bytesOfMapping(`{${field}: ${value}}`, "kinds.v1.Known")).toBe(bytes);
    expect(bytesOfMapping(`{${field}: input.known.${field}}`, "kinds.v1.Known")).toBe("");
    expect(bytesOfMapping(`{${field}: input.plain.bool ? ${value} : input.known.${field}}`, "kinds.v1.Known")).toBe("");
    const set = mapping(`{known: {${field}: ${value}}}`, everything, everything, new Uint8Array());
    const copied =
      set.kind === "value" &&
      mapping(`{${field}: input.known.${field}}`, "kinds.v1.Known", everything, set.value.bytes);
    expect(copied !== false && copied.kind === "value" && hex(copied.value.bytes)).toBe(bytes);
  });

  test("null leaves a message field unset, but is a value of google.protobuf.Value", () => {
    expect(bytesOfMapping("{double: null, timestamp: null, mask: null}", "kinds.v1.Known")).toBe("");
    expect(bytesOfMapping("{value: null}", "kinds.v1.Known")).toBe("22020800");
  });

  test("a wrapper's value fills a plain field, and none leaves it unset", () => {
    expect(bytesOfMapping("{string: input.known.string}", "kinds.v1.Plain")).toBe("");
    expect(bytesOfMapping("{string: input.known.string}", "kinds.v1.Present", { known: { string: "" } })).toBe("7200");
    expect(bytesOfMapping("{string: input.known.string}", "kinds.v1.Present")).toBe("");
  });

  test("an Any that is selected stays what it is, whoever packed it", () => {
    const any = { "@type": "example.org/kinds.v1.Part", name: "x" };
    const plain = { "@type": "type.googleapis.com/kinds.v1.Part", name: "x" };
    expect(bytesOfMapping("{any: input.known.any}", "kinds.v1.Known", { known: { any } })).toBe(
      hex(bytesOf("kinds.v1.Known", { any })),
    );
    expect(bytesOfMapping("{any: input.present.part}", "kinds.v1.Known", { present: { part: { name: "x" } } })).toBe(
      hex(bytesOf("kinds.v1.Known", { any: plain })),
    );
    expect(bytesOfMapping("{any: 1}", "kinds.v1.Known")).toBe(
      hex(
        bytesOf("kinds.v1.Known", { any: { "@type": "type.googleapis.com/google.protobuf.Int64Value", value: "1" } }),
      ),
    );
  });

  test("JSON values hold what JSON can: large whole numbers, NaN and infinities as text", () => {
    const same = (source: string, json: Parameters<typeof bytesOf>[1]): void =>
      expect(bytesOfMapping(source, "kinds.v1.Known")).toBe(hex(bytesOf("kinds.v1.Known", { value: json })));
    same("{value: 9007199254740993}", "9007199254740993");
    same("{value: double('NaN')}", "NaN");
    same("{value: -1.0 / 0.0}", "-Infinity");
    same("{value: b'ab'}", "YWI=");
    same("{value: [timestamp(0), {'a': input.plain.bool}]}", ["1970-01-01T00:00:00Z", { a: false }]);
    same("{value: Part{name: 'x', sizes: {'a': 1}}}", { name: "x", sizes: { a: 1 } });
  });
});

describe("a list", () => {
  /** Field, a value, its bytes. */
  const rows: readonly (readonly [string, string, string])[] = [
    ["double", "[1.5, 0.0]", "0a10000000000000f83f0000000000000000"],
    ["float", "[0.1, 0.0]", "1208cdcccc3d00000000"],
    ["int32", "[-2, 0]", "1a0bfeffffffffffffffff0100"],
    ["int64", "[300, 0]", "2203ac0200"],
    ["uint32", "[4294967295, 0]", "2a06ffffffff0f00"],
    ["uint64", "[18446744073709551615u, 0u]", "320bffffffffffffffffff0100"],
    ["sint32", "[-2, 0]", "3a020300"],
    ["sint64", "[-300, 0]", "4203d70400"],
    ["fixed32", "[1, 0]", "4a080100000000000000"],
    ["fixed64", "[1, 0]", "521001000000000000000000000000000000"],
    ["sfixed32", "[-1, 0]", "5a08ffffffff00000000"],
    ["sfixed64", "[-1, 0]", "6210ffffffffffffffff0000000000000000"],
    ["bool", "[true, false]", "6a020100"],
    ["string", "['é', '']", "7202c3a97200"],
    ["bytes", "[b'\\x00\\xff', b'']", "7a0200ff7a00"],
    ["color", "[Color.COLOR_RED, COLOR_NONE]", "8201020100"],
    ["part", "[{name: 'a'}, Part{}]", "8a01030a01618a0100"],
    ["timestamp", "[timestamp(1)]", "9201020801"],
    ["wrapped", "['', 'x']", "9a01009a01030a0178"],
    ["value", "[1, null]", "a2010911000000000000f03fa201020800"],
    ["unpacked", "[1, 2]", "a80101a80102"],
  ];
  test.each(rows)("%s: %s is written, literal, copied or mapped; an empty one is not", (field, value, bytes) => {
    expect(bytesOfMapping(`{${field}: ${value}}`, "kinds.v1.Lists")).toBe(bytes);
    expect(bytesOfMapping(`{${field}: ${value} + []}`, "kinds.v1.Lists")).toBe(bytes);
    expect(bytesOfMapping(`{${field}: []}`, "kinds.v1.Lists")).toBe("");
    expect(bytesOfMapping(`{${field}: input.lists.${field}}`, "kinds.v1.Lists")).toBe("");
    const set = mapping(`{lists: {${field}: ${value}}}`, everything, everything, new Uint8Array());
    for (const source of [`{${field}: input.lists.${field}}`, `{${field}: input.lists.${field}.map(x, x)}`]) {
      const copied = set.kind === "value" && mapping(source, "kinds.v1.Lists", everything, set.value.bytes);
      expect(copied !== false && copied.kind === "value" && hex(copied.value.bytes)).toBe(bytes);
    }
  });
});

describe("a map", () => {
  /** Field, a value, its bytes: sorted by key. */
  const rows: readonly (readonly [string, string, string])[] = [
    ["string", "{'b': '1', 'a': '2'}", "0a060a01611201320a060a0162120131"],
    ["int32", "{2: 1, -1: 0}", "120d08ffffffffffffffffff011000120408021001"],
    ["int64", "{2: 1, -1: 0}", "1a0d08ffffffffffffffffff0110001a0408021001"],
    ["uint32", "{2: 1, 1: 0}", "220408011000220408021001"],
    ["uint64", "{2: 1, 1: 0}", "2a04080110002a0408021001"],
    ["sint32", "{2: 1, -1: 0}", "320408011000320408041002"],
    ["sint64", "{2: 1, -1: 0}", "3a04080110003a0408041002"],
    ["fixed32", "{2: 1, 1: 0}", "420a0d010000001500000000420a0d020000001501000000"],
    ["fixed64", "{2: 1, 1: 0}", "4a120901000000000000001100000000000000004a12090200000000000000110100000000000000"],
    ["sfixed32", "{2: 1, -1: 0}", "520a0dffffffff1500000000520a0d020000001501000000"],
    ["sfixed64", "{2: 1, -1: 0}", "5a1209ffffffffffffffff1100000000000000005a12090200000000000000110100000000000000"],
    ["bool", "{true: false, false: true}", "620408001001620408011000"],
    ["double", "{'a': 1}", "6a0c0a016111000000000000f03f"],
    ["float", "{'a': 1.5}", "72080a0161150000c03f"],
    ["bytes", "{'a': b'x'}", "7a060a0161120178"],
    ["color", "{'a': COLOR_RED}", "8201050a01611001"],
    ["part", "{'a': {count: 0}}", "8a01070a016112021000"],
    ["duration", "{'a': duration('1s')}", "9201070a016112020801"],
    ["wrapped", "{'a': 0}", "9a01050a01611200"],
  ];
  test.each(rows)("%s: %s is written sorted by key, literal or copied; an empty one is not", (field, value, bytes) => {
    expect(bytesOfMapping(`{${field}: ${value}}`, "kinds.v1.Maps")).toBe(bytes);
    expect(bytesOfMapping(`{${field}: {}}`, "kinds.v1.Maps")).toBe("");
    expect(bytesOfMapping(`{${field}: input.maps.${field}}`, "kinds.v1.Maps")).toBe("");
    const set = mapping(`{maps: {${field}: ${value}}}`, everything, everything, new Uint8Array());
    const copied =
      set.kind === "value" && mapping(`{${field}: input.maps.${field}}`, "kinds.v1.Maps", everything, set.value.bytes);
    expect(copied !== false && copied.kind === "value" && hex(copied.value.bytes)).toBe(bytes);
  });

  test("keys are expressions, sorted by their UTF-8 bytes", () => {
    const source = "{string: {input.plain.string: 'k', '10': '', '9': '', '\\uffff': '', '\\U0001F600': '', '': ''}}";
    const keys = ["", "10", "9", "key", "\uffff", "\u{1F600}"];
    const found = bytesOfMapping(source, "kinds.v1.Maps", { plain: { string: "key" } });
    const at = keys.map((key) =>
      found.indexOf(`0a${Buffer.from([Buffer.byteLength(key)]).toString("hex")}${Buffer.from(key).toString("hex")}12`),
    );
    expect(at).toEqual(at.toSorted((a, b) => a - b));
    expect(at).not.toContain(-1);
  });

  test("64-bit keys are sorted by value", () => {
    expect(bytesOfMapping("{int64: {9223372036854775807: 1, 9223372036854775806: 2}}", "kinds.v1.Maps")).toBe(
      "1a0c08feffffffffffffff7f10021a0c08ffffffffffffffff7f1001",
    );
  });
});
