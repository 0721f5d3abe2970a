import type { JsonValue } from "@bufbuild/protobuf";
import type { DataRow } from "./row.ts";
import { bytes, fixed32, fixed64, group, raw, text, varint, wire, zigzag } from "./wire.ts";

const int64Min = -(2n ** 63n);
const uint64Max = 2n ** 64n - 1n;
const inside = wire(text(1, "x"), varint(99, 7));

/** Maps, lists, and what a contract does not know. */
export const containerRows: readonly DataRow[] = [
  {
    kind: "map: keys of each type",
    message: "Maps",
    wire: wire(
      bytes(2, varint(1, int64Min), text(2, "low")),
      bytes(3, varint(1, uint64Max), text(2, "high")),
      bytes(4, text(2, "no")),
      bytes(4, varint(1, 1), text(2, "yes")),
    ),
    reads:
      "one.by_int[-9223372036854775808] == 'low' && one.by_uint[18446744073709551615u] == 'high' && one.by_bool[false] == 'no'",
    builds: "{by_int: one.by_int, by_uint: one.by_uint, by_bool: one.by_bool}",
    yields: {
      byInt: { "-9223372036854775808": "low" },
      byUint: { "18446744073709551615": "high" },
      byBool: { false: "no", true: "yes" },
    },
    note: "written sorted by key",
  },
  {
    kind: "map: keys as names of JavaScript, doubled keys",
    message: "Maps",
    wire: wire(
      bytes(1, text(1, "__proto__"), varint(2, 1)),
      bytes(1, text(1, "constructor"), varint(2, 2)),
      bytes(1, text(1, "a"), varint(2, 3)),
      bytes(1, text(1, "a"), varint(2, 4)),
    ),
    reads:
      "one.by_text['__proto__'] == 1 && one.by_text['constructor'] == 2 && !('toString' in one.by_text) && one.by_text['a'] == 4",
    builds: "{by_text: one.by_text.transformMap(k, v, v + 1)}",
    yields: JSON.parse('{"byText": {"__proto__": "2", "a": "5", "constructor": "3"}}') as JsonValue,
    note: "of a doubled key the last entry counts",
  },
  {
    kind: "map of messages",
    message: "Maps",
    wire: wire(bytes(5, text(1, "b"), bytes(2, inside)), bytes(5)),
    reads: "one.messages['b'].text == 'x' && size(one.messages) == 2 && !one.messages[''].flag",
    builds: "{messages: one.messages}",
    yields: { messages: { "": {}, b: { text: "x" } } },
    bytes: wire(bytes(5, text(1, ""), bytes(2)), bytes(5, text(1, "b"), bytes(2, inside))),
    note: "unknown fields of the values are kept, those of an entry itself are not",
  },
  {
    kind: "repeated: packed and not, either way on the wire",
    message: "Repeated",
    wire: wire(zigzag(1, -1), bytes(1, raw("0204")), bytes(2, raw("0203")), zigzag(2, 5)),
    reads: "one.packed == [-1, 1, 2] && one.unpacked == [1, -2, 5]",
    builds: "{packed: one.unpacked, unpacked: one.packed, fixed: []}",
    yields: { packed: [1, -2, 5], unpacked: [-1, 1, 2] },
    note: "written as its field is declared",
  },
  {
    kind: "repeated: messages",
    message: "Repeated",
    wire: wire(bytes(3, inside), bytes(3), bytes(4, raw("ffffffffffffffff"))),
    reads: "one.messages.exists(m, m.text == 'x') && size(one.messages) == 2 && one.fixed[0] == 18446744073709551615u",
    builds: "{messages: one.messages.filter(m, m.text != '') + one.messages, fixed: one.fixed}",
    yields: { messages: [{ text: "x" }, { text: "x" }, {}], fixed: ["18446744073709551615"] },
    bytes: wire(bytes(3, inside), bytes(3, inside), bytes(3), bytes(4, raw("ffffffffffffffff"))),
  },
  {
    kind: "unknown fields",
    message: "Holder",
    wire: wire(
      bytes(1, inside, group(98, varint(1, 1)), fixed64(97, 5n), fixed32(96, 6)),
      bytes(3, text(1, "k"), bytes(2, inside)),
      varint(4, 1),
      text(50, "newer"),
    ),
    reads: "one.number == 1 && one.inside.text == 'x' && one.inside == one.inside",
    builds: "{inside: one.inside, list: [one.inside, one.map['k']], number: 2}",
    yields: { inside: { text: "x" }, list: [{ text: "x" }, { text: "x" }], number: "2" },
    bytes: wire(
      bytes(1, inside, group(98, varint(1, 1)), fixed64(97, 5n), fixed32(96, 6)),
      bytes(2, inside, group(98, varint(1, 1)), fixed64(97, 5n), fixed32(96, 6)),
      bytes(2, inside),
      varint(4, 2),
    ),
    note: "a message that is copied keeps them, after its own; one that is built has none",
  },
  {
    kind: "bytes that are no message",
    message: "Text",
    wire: raw("0aff"),
    reads: "true",
    builds: "{text: ''}",
    yields: {},
    refuses: [["{text: one.text}", "'one' can't be decoded as data.v1.Text"]],
    note: "an expression that looks into it fails the step",
  },
];
