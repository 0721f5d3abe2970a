import type { DataRow } from "./row.ts";
import { bytes, double, fixed32, fixed64, float, raw, text, varint, wire, zigzag } from "./wire.ts";

const int64Min = -(2n ** 63n);
const int64Max = 2n ** 63n - 1n;
const uint64Max = 2n ** 64n - 1n;

/** Numbers, text, bytes, presence, oneof, enums. */
export const fieldRows: readonly DataRow[] = [
  {
    kind: "int64, sint64, sfixed64 at both ends",
    message: "Whole",
    wire: wire(varint(1, int64Min), zigzag(3, int64Max), fixed64(5, int64Min)),
    reads: "one.int64 == -9223372036854775808 && one.sint64 > 9223372036854775806 && one.sfixed64 < one.sint64",
    builds: "{int64: one.sint64, sint64: one.int64, sfixed64: one.sint64 - 1}",
    yields: { int64: "9223372036854775807", sint64: "-9223372036854775808", sfixed64: "9223372036854775806" },
    note: "exact: no number goes through a double",
    refuses: [["{int64: one.int64 - 1}", "int overflow"]],
  },
  {
    kind: "uint64, fixed64 at both ends",
    message: "Whole",
    wire: wire(varint(2, uint64Max), fixed64(4, uint64Max)),
    reads: "one.uint64 == 18446744073709551615u && one.fixed64 - 1u == 18446744073709551614u",
    builds: "{uint64: one.fixed64, fixed64: one.uint64 - 1u}",
    yields: { uint64: "18446744073709551615", fixed64: "18446744073709551614" },
    note: "uint does not mix with int: `int(x)`, `uint(x)`",
    refuses: [
      ["{uint64: one.uint64 + 1u}", "uint overflow"],
      ["{int64: int(one.uint64)}", "int overflow"],
    ],
  },
  {
    kind: "int32, sint32, sfixed32, uint32, fixed32 at both ends",
    message: "Whole",
    wire: wire(
      varint(6, -(2n ** 31n)),
      varint(7, 2n ** 32n - 1n),
      zigzag(8, 2n ** 31n - 1n),
      fixed32(9, -1),
      fixed32(10, -(2 ** 31)),
    ),
    reads: "one.int32 == one.sfixed32 && one.uint32 == one.fixed32 && one.sint32 + 1 == 2147483648",
    builds:
      "{int32: one.sint32, uint32: one.fixed32, sint32: one.int32, fixed32: one.uint32 - 1u, sfixed32: one.int32 + 1}",
    yields: { int32: 2147483647, uint32: 4294967295, sint32: -2147483648, fixed32: 4294967294, sfixed32: -2147483647 },
    note: "64 bits wide in an expression; one that does not fit its field fails the step",
    refuses: [["{int32: one.int32 - 1}", "field 'int32' of data.v1.Whole: -2147483649 does not fit int32"]],
  },
  {
    kind: "64-bit with `jstype`",
    message: "Whole",
    wire: wire(varint(11, int64Min), bytes(12, raw("ffffffffffffffffff0101"))),
    reads: "one.spelled == -9223372036854775808 && one.spelled_list[0] == 18446744073709551615u",
    builds:
      "{spelled: one.spelled + 1, spelled_list: one.spelled_list + [0u], int64: one.spelled, uint64: one.spelled_list[0]}",
    yields: {
      spelled: "-9223372036854775807",
      spelledList: ["18446744073709551615", "1", "0"],
      int64: "-9223372036854775808",
      uint64: "18446744073709551615",
    },
    note: "`jstype` changes nothing here",
  },
  {
    kind: "double, float: NaN, infinities, -0, the smallest",
    message: "Real",
    wire: wire(double(1, -0), float(2, Infinity), bytes(3, raw("000000000000f87f000000000000f0ff0100000000000000"))),
    reads: "one.double == 0.0 && one.float > 1e38 && one.doubles[0] != one.doubles[0] && one.doubles[2] > 0.0",
    builds: "{double: one.double, float: -one.float, doubles: one.doubles.map(x, x)}",
    yields: { double: -0, float: "-Infinity", doubles: ["NaN", "-Infinity", 5e-324] },
    note: "-0 is written: it is not the default",
  },
  {
    kind: "string",
    message: "Text",
    wire: wire(text(1, "é\u{1F600}\0")),
    reads: 'size(one.text) == 3 && one.text.startsWith("é\\U0001F600")',
    builds: '{text: one.text + "!", texts: ["", one.text]}',
    yields: { text: "é\u{1F600}\0!", texts: ["", "é\u{1F600}\0"] },
    note: "length in code points",
  },
  {
    kind: "bytes",
    message: "Text",
    wire: wire(bytes(2, raw("00ff80fe")), varint(3, 2)),
    reads: "size(one.data) == 4 && one.data == b'\\x00\\xff\\x80\\xfe' && one.flag",
    builds: "{data: one.data + b'\\x00', flag: !one.flag}",
    yields: { data: "AP+A/gA=" },
    note: "any bytes; `string(x)` of what is not UTF-8 fails the step",
    refuses: [["{text: string(one.data)}", "Failed to decode bytes as string"]],
  },
  {
    kind: "`optional`: set to its default",
    message: "Optional",
    wire: wire(varint(1, 0), text(2, ""), varint(3, 0), bytes(4), varint(5, 0), bytes(6)),
    reads: "has(one.number) && has(one.text) && has(one.color) && has(one.inside) && one.number == 0",
    builds:
      "{number: one.number, text: one.text, flag: one.flag, data: one.data, color: one.color, inside: one.inside}",
    yields: { number: "0", text: "", flag: false, data: "", color: "COLOR_NONE", inside: {} },
    note: "a bare selection copies presence",
  },
  {
    kind: "`optional`: not set",
    message: "Optional",
    wire: wire(),
    reads: "!has(one.number) && !has(one.inside) && one.number == 0 && one.inside.text == ''",
    builds: "{number: one.number, text: one.text, flag: one.flag, color: one.color, inside: one.inside}",
    yields: {},
    note: "reads as its default",
  },
  {
    kind: "oneof",
    message: "Choice",
    wire: wire(varint(2, 5), text(1, "")),
    reads: "has(one.text) && !has(one.number) && one.text == '' && one.number == 0",
    builds: "{text: one.text, number: one.number, inside: one.inside, wrapped: one.wrapped}",
    yields: { text: "" },
    note: "of several on the wire the last one counts; all arms can be copied at once",
  },
  {
    kind: "oneof: message, wrapper and enum",
    message: "Choice",
    wire: wire(bytes(3, text(1, "a")), bytes(3, varint(3, 1))),
    reads: "has(one.inside) && one.inside.text == 'a' && one.inside.flag && one.wrapped == null",
    builds: "has(one.inside) ? {wrapped: one.inside.flag} : {color: COLOR_RED}",
    yields: { wrapped: true },
    note: "a message in two pieces is put together",
  },
  {
    kind: "open enum: named, alias, unknown number",
    message: "Enums",
    wire: wire(varint(1, 77), bytes(2, raw("01feffffffffffffffff014d")), bytes(3, text(1, "a"), varint(2, 77))),
    reads:
      "one.color == 77 && one.colors[0] == Color.COLOR_CRIMSON && one.colors[1] == COLOR_INFRARED && one.by_name['a'] == 77",
    builds: "{color: one.color, colors: one.colors.filter(c, c != COLOR_INFRARED), by_name: one.by_name}",
    yields: { color: 77, colors: ["COLOR_RED", 77], byName: { a: 77 } },
    note: "an int in an expression; unknown numbers are kept",
  },
  {
    kind: "closed enum: named",
    message: "Closed",
    wire: wire(varint(1, 5), varint(2, 1), bytes(2, raw("05")), bytes(3, text(1, "a"), varint(2, 1))),
    reads: "one.level == HIGH && one.levels == [1, 5] && one.by_name['a'] == Grade.FIRST",
    builds: "{level: one.levels[0], levels: one.levels, by_name: {'b': one.by_name['a']}}",
    yields: { level: "LOW", levels: ["LOW", "HIGH"], byName: { b: "FIRST" } },
  },
  {
    kind: "closed enum: unknown number",
    message: "Closed",
    wire: wire(varint(1, 77), varint(2, 77)),
    reads: "!has(one.level) && one.level == LOW && one.levels[0] == 77",
    builds: "{level: one.level}",
    yields: {},
    note: "reads as not set, an unknown field of its message; in a list as its number, and one put into a closed enum fails the step",
    refuses: [["{levels: one.levels}", "field 'levels' of data.v1.Closed: 77 is no value of data.v1.Level"]],
  },
];
