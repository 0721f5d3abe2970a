import type { JsonValue } from "@bufbuild/protobuf";
import type { DataRow } from "./row.ts";
import { bytes, double, raw, text, varint, wire } from "./wire.ts";

const int64Min = -(2n ** 63n);
const uint64Max = 2n ** 64n - 1n;

/** The messages of google/protobuf that expressions take as values of their own. */
export const knownRows: readonly DataRow[] = [
  {
    kind: "Any",
    message: "Anything",
    wire: wire(bytes(1, text(1, "example.org/data.v1.Text"), bytes(2, varint(3, 1), text(1, "x")))),
    reads: "one.any.text == 'x'",
    builds: "{any: one.any, list: [one.any, Text{text: 'y'}]}",
    yields: {
      any: { "@type": "example.org/data.v1.Text", text: "x", flag: true },
      list: [
        { "@type": "example.org/data.v1.Text", text: "x", flag: true },
        { "@type": "type.googleapis.com/data.v1.Text", text: "y" },
      ],
    },
    bytes: wire(
      bytes(1, text(1, "example.org/data.v1.Text"), bytes(2, varint(3, 1), text(1, "x"))),
      bytes(2, text(1, "example.org/data.v1.Text"), bytes(2, varint(3, 1), text(1, "x"))),
      bytes(2, text(1, "type.googleapis.com/data.v1.Text"), bytes(2, text(1, "y"))),
    ),
    note: "opened when a field is selected; copied unopened",
  },
  {
    kind: "Any: of a type that nobody knows",
    message: "Anything",
    wire: wire(bytes(1, text(1, "type.googleapis.com/far.v1.Away"), bytes(2, raw("ff")))),
    reads: "has(one.any)",
    builds: "{any: one.any, list: [one.any]}",
    bytes: wire(
      bytes(1, text(1, "type.googleapis.com/far.v1.Away"), bytes(2, raw("ff"))),
      bytes(2, text(1, "type.googleapis.com/far.v1.Away"), bytes(2, raw("ff"))),
    ),
    note: "copied; a field selected in it fails the step",
    refuses: [
      ["{list: one.any.text == 'x' ? [one.any] : []}", "type.googleapis.com/far.v1.Away not found in registry"],
    ],
  },
  {
    kind: "Timestamp: the first, the last, nanoseconds",
    message: "Time",
    wire: wire(
      bytes(1, varint(1, 253_402_300_799n), varint(2, 999_999_999)),
      bytes(3, varint(1, 1), varint(2, 1)),
      bytes(3, varint(1, 1), varint(2, 2)),
      bytes(4, varint(1, -62_135_596_800n)),
    ),
    reads:
      "one.first < one.at && one.list[0] < one.list[1] && one.at.getFullYear() == 9999 && one.list[1] - one.list[0] == duration('2ns') - duration('1ns')",
    builds: "{at: one.at, first: one.first, list: [one.list[0] + duration('1ns')], lasts: one.list[1] - one.list[0]}",
    yields: {
      at: "9999-12-31T23:59:59.999999999Z",
      first: "0001-01-01T00:00:00Z",
      list: ["1970-01-01T00:00:01.000000002Z"],
      lasts: "0.000000001s",
    },
    refuses: [
      ["{at: one.at + duration('1ns')}", "outside the years 1 to 9999"],
      ["{at: one.first - duration('1ns')}", "timestamp out of range"],
    ],
  },
  {
    kind: "Duration: both ends, negative",
    message: "Time",
    wire: wire(bytes(2, varint(1, -1), varint(2, -500_000_000))),
    reads: "one.lasts < duration('0s') && one.lasts == duration('-1.5s') && string(one.lasts) == '-1.500s'",
    builds: "{lasts: one.lasts + duration('1s'), at: timestamp(0) + one.lasts}",
    yields: { at: "1969-12-31T23:59:58.500Z", lasts: "-0.500s" },
  },
  {
    kind: "wrappers: set, set to the default",
    message: "Wrapped",
    wire: wire(
      bytes(1, varint(1, int64Min)),
      bytes(2, varint(1, uint64Max)),
      bytes(3),
      bytes(4),
      bytes(7),
      bytes(7, varint(1, 5)),
    ),
    reads:
      "one.int64 == -9223372036854775808 && one.text == '' && one.data == b'' && one.list == [0, 5] && has(one.text)",
    builds:
      "{int64: one.int64, uint64: one.uint64, text: one.text, data: one.data, flag: false, list: one.list.map(x, x)}",
    yields: {
      int64: "-9223372036854775808",
      uint64: "18446744073709551615",
      text: "",
      data: "",
      flag: false,
      list: ["0", "5"],
    },
  },
  {
    kind: "wrappers: not set",
    message: "Wrapped",
    wire: wire(),
    reads: "one.int64 == null && !has(one.int64) && one.list == []",
    builds: "{int64: one.int64, text: null, real: one.real}",
    yields: {},
    note: "null",
    refuses: [["{int64: one.int64 + 1}", "'_+_' applied to '(null_type, int)'"]],
  },
  {
    kind: "Struct, Value, ListValue",
    message: "Json",
    wire: wire(
      bytes(
        1,
        bytes(
          1,
          text(1, "a"),
          bytes(2, bytes(6, bytes(1, double(2, 1.5)), bytes(1, varint(1, 0)), bytes(1, bytes(5)))),
        ),
      ),
      bytes(2, text(3, "v")),
      bytes(3, bytes(1, varint(4, 1))),
      bytes(4, varint(1, 0)),
    ),
    reads:
      "one.struct.a[0] == 1.5 && one.struct.a[1] == null && one.value == 'v' && one.list[0] == true && one.values[0] == null",
    builds:
      "{struct: {'b': one.struct.a, '__proto__': 1}, value: one.struct, list: [one.value, 2], values: [one.value, null]}",
    yields: JSON.parse(
      '{"struct": {"__proto__": 1, "b": [1.5, null, {}]}, "value": {"a": [1.5, null, {}]}, "list": ["v", 2], "values": ["v", null]}',
    ) as JsonValue,
  },
  {
    kind: "Value: none, NaN",
    message: "Json",
    wire: wire(bytes(1, bytes(1, text(1, "a"), bytes(2))), bytes(2, double(2, NaN)), bytes(4)),
    reads: "has(one.value) && one.struct.a == null && one.values == [null]",
    builds: "{list: [one.value], value: one.value, values: one.values, struct: one.struct}",
    yields: { list: ["NaN"], value: "NaN", values: [null], struct: { a: null } },
    note: "what JSON can't say: none becomes null, NaN and infinities text",
  },
  {
    kind: "FieldMask, Empty",
    message: "Other",
    wire: wire(bytes(1, text(1, "a.b_c"), text(1, "d")), bytes(2, varint(9, 1))),
    reads: "one.mask.paths[0] == 'a.b_c' && has(one.empty)",
    builds: "{mask: {paths: one.mask.paths + ['e']}, empty: one.empty}",
    yields: { mask: "a.bC,d,e", empty: {} },
    bytes: wire(bytes(1, text(1, "a.b_c"), text(1, "d"), text(1, "e")), bytes(2, varint(9, 1))),
  },
];
