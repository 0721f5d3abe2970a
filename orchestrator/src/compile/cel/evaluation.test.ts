import { fromBinary, toJson } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import {
  defaultBudget,
  evaluateBool,
  evaluateKept,
  evaluateString,
  evaluateTimestamp,
} from "../../engine/expression/evaluate.ts";
import { loadExpression } from "../../engine/expression/load.ts";
import type { Expression } from "../../engine/expression/load.ts";
import type { Wanted } from "./request.ts";
import { bindingsOf, bytesOf, checked, hex, messageNamed, registry, scopeOf, typeNamed } from "./testing/expression.ts";

function load(
  source: string,
  wanted: Wanted,
  variables: Readonly<Record<string, string>> = { input: "kinds.v1.Everything" },
): Expression {
  return loadExpression(checked(source, wanted, scopeOf(variables)).bytes, registry);
}

const input = bytesOf("kinds.v1.Everything", {
  plain: { int32: 7, int64: "9223372036854775807", string: "abc" },
  parts: Array.from({ length: 30 }, (_, at) => ({ name: `p${at}`, count: at })),
  maps: { string: { a: "1" } },
});

describe("a failure at run time tells its cause and place", () => {
  test.each([
    ["input.parts[30].name", "index 30 is out of range: the list has 30 elements", 11],
    ["input.parts[-1].name", "index -1 is out of range: the list has 30 elements", 11],
    ["input.parts[3].tags[0]", "index 0 is out of range: the list has 0 elements", 19],
    ["input.maps.string['b']", 'the map has no key "b"', 17],
    ["input.maps.string.b", "field not found: b", 18],
    ["string(input.plain.int64 + 1)", "int overflow", 25],
    ["string(1 / int(input.plain.double))", "division by zero", 9],
    ["string(5u - uint(input.plain.int32))", "uint overflow", 10],
    ["string(int(input.plain.string))", '"abc" is no whole number', 7],
    ["string(timestamp(input.plain.string))", '"abc" is no timestamp: 2026-01-31T12:00:00Z is the form', 7],
    ["string(duration(input.plain.string))", '"abc" is no duration: "300ms", "1.5h", "7d" are', 7],
    ["input.plain.string.substring(4)", undefined, 19],
    ["string(input.plain.string.matches(input.plain.string + '('))", undefined, 26],
    ["string(now.getHours(input.plain.string))", "'abc' is no time zone", 11],
  ])("%s", (source, message, offset) => {
    const result = evaluateString(load(source, { kind: "string" }), bindingsOf({ input }));
    expect(result).toMatchObject({ kind: "failed", offset, ...(message === undefined ? {} : { message }) });
  });

  test("a variable without a value, or with bytes that are no message", () => {
    const expression = load("input.plain.string", { kind: "string" });
    expect(evaluateString(expression, bindingsOf({}))).toMatchObject({
      kind: "failed",
      message: "'input' has no value",
    });
    const broken = evaluateString(expression, bindingsOf({ input: Uint8Array.of(0xff) }));
    expect(broken).toMatchObject({ kind: "failed" });
    expect(broken.kind === "failed" && broken.message).toMatch(/^'input' can't be decoded as kinds.v1.Everything: /);
  });

  test("a side that decides alone hides the other's failure, as CEL has it", () => {
    const bindings = bindingsOf({ input });
    for (const source of [
      "input.parts[99].name == '' || true",
      "false && input.parts[99].name == ''",
      "input.parts.exists(p, p.tags[0] == '' || p.count == 3)",
    ]) {
      expect(evaluateBool(load(source, { kind: "bool" }), bindings)).toMatchObject({ kind: "value" });
    }
  });
});

describe("the budget", () => {
  const nested = load("input.parts.map(a, input.parts.map(b, a.count + b.count)[0])", { kind: "any" });

  test("holds at the limit, and one step less fails", () => {
    const passes = 30 + 30 * 30;
    expect(evaluateKept(nested, bindingsOf({ input }), passes)).toMatchObject({ kind: "value" });
    expect(evaluateKept(nested, bindingsOf({ input }), passes - 1)).toMatchObject({
      kind: "failed",
      message: "the expression takes too many steps (--evaluation-steps-max)",
    });
  });

  test("counts a walk with two variables twice: for the entries, and for each pass", () => {
    const walks = [
      "input.parts.transformList(i, p, i)",
      "input.parts.transformMap(i, p, i)",
      "input.parts.all(i, p, i >= 0)",
    ];
    for (const source of walks) {
      const walk = load(source, { kind: "any" });
      expect(evaluateKept(walk, bindingsOf({ input }), 60), source).toMatchObject({ kind: "value" });
      expect(evaluateKept(walk, bindingsOf({ input }), 59), source).toMatchObject({
        kind: "failed",
        message: "the expression takes too many steps (--evaluation-steps-max)",
      });
    }
  });

  test("counts the keys that are looked through for a number that is not there", () => {
    const misses = load("cel.bind(m, input.parts.transformMap(i, p, i), input.parts.map(p, m[?-1].orValue(0)))", {
      kind: "any",
    });
    expect(evaluateKept(misses, bindingsOf({ input }), 60 + 30 + 30 * 30)).toMatchObject({ kind: "value" });
    expect(evaluateKept(misses, bindingsOf({ input }), 60 + 30 + 30 * 30 - 1)).toMatchObject({ kind: "failed" });
  });

  test("can't be hidden by ||, and ends with its evaluation", () => {
    const hidden = load("input.parts.all(a, input.parts.all(b, true)) || true", { kind: "bool" });
    expect(evaluateBool(hidden, bindingsOf({ input }), 100)).toMatchObject({
      kind: "failed",
      message: "the expression takes too many steps (--evaluation-steps-max)",
    });
    expect(evaluateBool(hidden, bindingsOf({ input }), defaultBudget)).toEqual({ kind: "value", value: true });
  });

  test("counts what looks through whole values, so that long text in a loop is not free", () => {
    const long = bytesOf("kinds.v1.Everything", { plain: { string: "x".repeat(64_000) }, parts: [{}, {}, {}] });
    const search = load("input.parts.all(p, !input.plain.string.contains('y'))", { kind: "bool" });
    expect(evaluateBool(search, bindingsOf({ input: long }), 3003)).toEqual({ kind: "value", value: true });
    expect(evaluateBool(search, bindingsOf({ input: long }), 3002)).toMatchObject({ kind: "failed" });
    const grow = load("input.plain.string.replace('x', input.plain.string)", { kind: "string" });
    expect(evaluateString(grow, bindingsOf({ input: long }))).toMatchObject({ kind: "failed" });
  });

  test("counts a regular expression by its parts and the text, its repetitions written out", () => {
    const text = bytesOf("kinds.v1.Everything", { plain: { string: "a".repeat(3000) } });
    const over = (pattern: string): unknown =>
      evaluateBool(load(`input.plain.string.matches('${pattern}')`, { kind: "bool" }), bindingsOf({ input: text }))
        .kind;
    expect(over("^a+$")).toBe("value");
    expect(over("(a|b){1,100}c")).toBe("value");
    expect(over(".{1000}")).toBe("failed");
    expect(over("(a{10}b{10}){40}")).toBe("failed");
    const dynamic = load("'x'.matches(input.plain.string + '{1000}')", { kind: "bool" });
    expect(evaluateBool(dynamic, bindingsOf({ input: text }), 3000)).toMatchObject({ kind: "failed" });
  });

  test("a list of ten thousand is gathered and read", () => {
    const many = bytesOf("kinds.v1.Everything", { lists: { int32: Array.from({ length: 10_000 }, (_, at) => at) } });
    const sum = load("input.lists.int32.map(x, x * 2).filter(x, x % 20000 == 19998)", {
      kind: "value",
      type: typeNamed("list(int32)"),
    });
    expect(evaluateKept(sum, bindingsOf({ input: many }))).toEqual({
      kind: "value",
      value: { type: "list(int32)", bytes: Uint8Array.from([0x0a, 3, 0x9e, 0x9c, 1]) },
    });
  });
});

describe("variables", () => {
  test("are asked for when they are read, and only then", () => {
    const asked: string[] = [];
    const expression = load(
      "a.name == '' || b.name == ''",
      { kind: "bool" },
      { a: "kinds.v1.Part", b: "kinds.v1.Part" },
    );
    const bindings = bindingsOf({});
    const variable = (name: string): Uint8Array => {
      asked.push(name);
      return new Uint8Array();
    };
    expect(evaluateBool(expression, { ...bindings, variable })).toEqual({ kind: "value", value: true });
    expect(asked).toEqual(["a"]);
    expect(expression.reads).toEqual(["a", "b"]);
  });

  test("with the same bytes are decoded by their own types", () => {
    const bytes = Uint8Array.from([0x0a, 1, 0x61]);
    const given = bindingsOf({ x: bytes });
    expect(evaluateString(load("x", { kind: "string" }, { x: "string" }), given)).toEqual({
      kind: "value",
      value: "a",
    });
    expect(evaluateString(load("x.name", { kind: "string" }, { x: "kinds.v1.Part" }), given)).toEqual({
      kind: "value",
      value: "a",
    });
    expect(evaluateString(load("x", { kind: "string" }, { x: "string" }), given)).toEqual({
      kind: "value",
      value: "a",
    });
  });

  /** Type, an expression of it, its bytes, an expression over it as `x`. */
  const kept: readonly (readonly [string, string, string, string])[] = [
    ["bool", "false", "0800", "!x"],
    ["int64", "0", "0800", "x + 1 == 1"],
    ["int32", "-1", "08ffffffffffffffffff01", "x == -1"],
    ["uint64", "5u", "0805", "x + 1 == 6u"],
    ["sint32", "-1", "0801", "x == -1"],
    ["double", "1", "09000000000000f03f", "x / 2 == 0.5"],
    ["float", "0.5", "0d0000003f", "x == 0.5"],
    ["string", "'é'", "0a02c3a9", "size(x) == 1"],
    ["string", "''", "0a00", "x == ''"],
    ["bytes", "b'a'", "0a0161", "x == b'a'"],
    ["kinds.v1.Color", "COLOR_BLUE", "08feffffffffffffffff01", "x == COLOR_BLUE"],
    ["kinds.v1.Part", "{count: 0}", "1000", "has(x.count)"],
    ["google.protobuf.Timestamp", "timestamp(1)", "0801", "x < now"],
    ["google.protobuf.Duration", "duration('1m')", "083c", "now - x < now"],
    ["google.protobuf.StringValue", "'a'", "0a0161", "x == 'a'"],
    ["google.protobuf.Struct", "{'a': 1}", "0a0e0a0161120911000000000000f03f", "x.a == 1.0"],
    ["google.protobuf.Value", "[null]", "32040a020800", "x[0] == null"],
    [
      "google.protobuf.Any",
      "Part{}",
      "0a21747970652e676f6f676c65617069732e636f6d2f6b696e64732e76312e50617274",
      "x.name == ''",
    ],
    ["list(int32)", "[1, 2]", "0a020102", "x == [1, 2]"],
    ["list(string)", "[]", "", "size(x) == 0"],
    ["list(kinds.v1.Part)", "[{name: 'a'}, {}]", "0a030a01610a00", "x[0].name == 'a' && size(x) == 2"],
    ["list(kinds.v1.Color)", "[COLOR_RED]", "0a0101", "x[0] == COLOR_RED"],
    ["map(string, int64)", "{'b': 1, 'a': 2}", "0a050a016110020a050a01621001", "x['a'] == 2 && x.b == 1"],
    ["map(int32, kinds.v1.Part)", "{1: {name: 'a'}}", "0a07080112030a0161", "x[1].name == 'a'"],
    ["map(bool, kinds.v1.Color)", "{true: COLOR_RED}", "0a0408011001", "x[true] == COLOR_RED"],
  ];
  test.each(kept)("of type %s keep %s as %s", (type, source, bytes, check) => {
    const result = evaluateKept(load(source, { kind: "value", type: typeNamed(type) }), bindingsOf({ input }));
    expect(result.kind === "value" && [result.value.type, hex(result.value.bytes)]).toEqual([type, bytes]);
    const x = Uint8Array.from(Buffer.from(bytes, "hex"));
    expect(evaluateBool(load(check, { kind: "bool" }, { x: type }), bindingsOf({ x }))).toEqual({
      kind: "value",
      value: true,
    });
  });

  test("of the engine: run, now, metadata", () => {
    const run = {
      id: "0123",
      key: "k",
      workflow: "shop.v1.OrderWorkflow/Fulfil",
      version: 3,
      startedAt: { seconds: 1n, nanos: 2 },
      deadline: undefined,
    };
    const bindings = { ...bindingsOf({}), run };
    const source =
      "run.id + ' ' + run.key + ' ' + string(run.version) + ' ' + string(has(run.deadline)) + ' ' + string(run.started_at) + ' ' + metadata.tenant";
    expect(evaluateString(load(source, { kind: "string" }), bindings)).toEqual({
      kind: "value",
      value: "0123 k 3 false 1970-01-01T00:00:01.000000002Z acme",
    });
    expect(evaluateTimestamp(load("now + duration('1d')", { kind: "timestamp" }), bindings)).toEqual({
      kind: "value",
      value: { seconds: 1_767_312_000n, nanos: 5 },
    });
    expect(evaluateString(load("run.id", { kind: "string" }), bindingsOf({}))).toMatchObject({
      kind: "failed",
      message: "'run' has no value",
    });
  });
});

test("a mapping's message is read by others", () => {
  const result = evaluateKept(
    load("{name: input.plain.string, sizes: {'a': 1}}", { kind: "value", type: typeNamed("kinds.v1.Part") }),
    bindingsOf({ input }),
  );
  const desc = messageNamed("kinds.v1.Part");
  expect(result.kind === "value" && toJson(desc, fromBinary(desc, result.value.bytes))).toEqual({
    name: "abc",
    sizes: { a: 1 },
  });
});

test("a value where another form is asked for is a bug, and says so", () => {
  expect(() => evaluateString(load("true", { kind: "bool" }), bindingsOf({}))).toThrow(
    "true yields bool, a string was asked for",
  );
});

describe("what may be missing", () => {
  const values: Readonly<Record<string, unknown>> = {
    "optional.of(input.parts[99]).hasValue()": "failed",
    "input.parts[?99].value().name == ''": "failed",
    "input.parts[?99].orValue(input.parts[0]).count == 0": true,
    "input.parts[?0].or(optional.of(input.parts[99])).hasValue()": true,
    "optional.of(1).orValue(1 / 0) == 1": true,
    "optional.none().orValue(1 / 0) == 1": "failed",
    "optional.ofNonZeroValue(kinds.v1.Part{}).hasValue()": false,
    "optional.ofNonZeroValue(b'').hasValue() || optional.ofNonZeroValue(0u).hasValue()": false,
    "optional.ofNonZeroValue(kinds.v1.Part{count: 1}).hasValue()": true,
    "{'a': 1, ?'b': optional.none(), ?'c': optional.of(3)} == {'a': 1, 'c': 3}": true,
    "[?optional.none(), 1, ?optional.of(2)] == [1, 2]": true,
    "[[1, 2]][?0][1].value() == 2 && [[1, 2]][?1][1].hasValue() == false": true,
    "has(optional.of({'a': 1}).a) && !has(optional.of({'a': 1}).b)": true,
    "[1, 1].transformMapEntry(i, v, {v: i}).size() == 1": "failed",
    "[7, 8].transformMapEntry(i, v, {v: i}) == {7: 0, 8: 1}": true,
    "{'a': 1}.transformMapEntry(k, v, v > 1, {k: v}) == {}": true,
    "cel.bind(x, 1 / 0, true)": "failed",
    "cel.bind(x, [1], cel.bind(x, x + [2], x)) == [1, 2]": true,
  };

  test.each(Object.entries(values))("%s: %s", (source, expected) => {
    const result = evaluateBool(load(source, { kind: "bool" }), bindingsOf({ input }));
    expect(result.kind === "value" ? result.value : "failed").toBe(expected);
  });
});
