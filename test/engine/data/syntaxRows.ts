import type { JsonValue } from "@bufbuild/protobuf";
import type { DataRow } from "./row.ts";
import { bytes, group, raw, text, varint, wire } from "./wire.ts";

/** What proto2 and the editions have of their own, and names that mean something elsewhere. */
export const syntaxRows: readonly DataRow[] = [
  {
    kind: "names of JavaScript and of CEL",
    message: "Names",
    wire: wire(text(1, "a"), text(2, "b"), text(3, "c"), text(4, "d"), text(5, "e"), text(6, "f")),
    reads:
      "one.constructor == 'a' && one.to_string == 'b' && one.__proto__ == 'c' && one.`in` == 'd' && one.camelCase == 'e' && one.value_of == 'f'",
    builds:
      "{constructor: one.to_string, to_string: one.constructor, __proto__: one.`in`, 'in': one.__proto__, value_of: 'g'}",
    yields: JSON.parse('{"constructor": "b", "toString": "a", "Proto": "d", "in": "c", "x-y": "g"}') as JsonValue,
  },
  {
    kind: "proto2: defaults of one's own",
    message: "Defaults",
    wire: wire(),
    reads:
      "!has(one.number) && one.number == -7 && one.text == 'none' && one.data == b'\\x01\\xff' && one.level == HIGH && one.real > 1e308 && one.flag",
    builds: "{number: one.number, text: one.text, level: one.level, real: one.real + 1.0, flag: !one.flag}",
    yields: { real: "Infinity", flag: false },
    note: "read; a bare selection leaves unset what is unset",
  },
  {
    kind: "proto2: `required`",
    message: "HasRequired",
    wire: wire(bytes(1, varint(2, 5)), text(2, "n")),
    reads: "has(one.inside) && one.inside.id == '' && one.inside.number == 5",
    builds: "{inside: {id: 'a', number: one.inside.number}, note: one.note}",
    yields: { inside: { id: "a", number: "5" }, note: "n" },
    note: "passed whole even where it is missing; what is built or copied without it fails the step",
    refuses: [["{inside: one.inside}", "data.v1.Required.id to binary: required field not set"]],
  },
  {
    kind: "proto2: groups",
    message: "Groups",
    wire: wire(group(1, varint(2, 1), varint(2, -1), text(1, "l"), varint(99, 1)), group(2), group(2, text(1, "s"))),
    reads: "one.box.label == 'l' && one.box.weights == [1, -1] && one.item[1].sku == 's'",
    builds: "{box: one.box, item: one.item.filter(i, has(i.sku)) + [Groups.Item{sku: 't'}]}",
    yields: { box: { label: "l", weights: [1, -1] }, item: [{ sku: "s" }, { sku: "t" }] },
    bytes: wire(
      group(1, text(1, "l"), varint(2, 1), varint(2, -1), varint(99, 1)),
      group(2, text(1, "s")),
      group(2, text(1, "t")),
    ),
    note: "the field's name is that of the group in lower case",
  },
  {
    kind: "proto2: extensions",
    message: "Extended",
    wire: wire(varint(100, 5), text(1, "x"), text(101, "a"), text(101, "b")),
    reads: "one.text == 'x'",
    builds: "one.text == 'x' ? one : Extended{}",
    yields: { text: "x", "[data.v1.added]": "5", "[data.v1.many]": ["a", "b"] },
    bytes: wire(text(1, "x"), varint(100, 5), text(101, "a"), text(101, "b")),
    note: "kept as unknown fields; no expression reads or sets them",
  },
  {
    kind: "proto2: repeated, not packed unless it says so",
    message: "Unpacked",
    wire: wire(bytes(1, raw("0102")), varint(2, 3)),
    reads: "one.expanded == [1, 2] && one.packed == [3]",
    builds: "{expanded: one.expanded, packed: one.packed}",
    yields: { expanded: [1, 2], packed: [3] },
  },
  {
    kind: "edition 2023: presence, delimited, expanded, closed",
    message: "Featured",
    wire: wire(
      text(3, "r"),
      text(1, ""),
      group(4, bytes(2, text(1, "b"), varint(2, 1)), bytes(2, text(1, "a")), text(1, "t"), varint(99, 1)),
      group(5),
      bytes(6, raw("0102")),
      varint(7, 9),
    ),
    reads:
      "has(one.explicit) && one.implicit == '' && one.required == 'r' && one.delimited.map['a'] == 0 && one.shut == SHUT_A",
    builds:
      "{explicit: one.explicit, implicit: '', required: one.required, delimited: one.delimited, list: one.list, expanded: one.expanded}",
    yields: {
      explicit: "",
      required: "r",
      delimited: { text: "t", map: { a: 0, b: 1 } },
      list: [{}],
      expanded: [1, 2],
    },
    bytes: wire(
      text(1, ""),
      text(3, "r"),
      group(4, text(1, "t"), bytes(2, text(1, "a"), varint(2, 0)), bytes(2, text(1, "b"), varint(2, 1)), varint(99, 1)),
      group(5),
      varint(6, 1),
      varint(6, 2),
    ),
  },
  {
    kind: "proto2, edition 2023 without validation: text",
    message: "Featured",
    wire: wire(text(3, "r"), bytes(8, raw("c3a9"))),
    reads: "one.unchecked == 'é'",
    builds: "{required: one.unchecked, unchecked: one.required}",
    yields: { required: "é", unchecked: "r" },
  },
  {
    kind: "text that is not UTF-8",
    message: "Featured",
    wire: wire(text(3, "r"), bytes(8, raw("ff"))),
    reads: "true",
    builds: "{required: 'r'}",
    yields: { required: "r" },
    refuses: [["{required: one.required}", "'one' can't be decoded as data.v1.Featured"]],
    note: "an expression that looks into its message fails the step, where proto2 or `utf8_validation` allows such text too",
  },
  {
    kind: "edition 2024: file-wide features, `export`, `local`",
    message: "Newer",
    wire: wire(text(3, ""), varint(1, 0), varint(2, 9), group(4, varint(1, 5))),
    reads: "has(one.text) && one.mood == 9 && one.near.number == 5",
    builds: "{number: 0, mood: MOOD_GOOD, text: one.text, near: {number: one.near.number + 1}}",
    yields: { mood: "MOOD_GOOD", text: "", near: { number: "6" } },
  },
];
