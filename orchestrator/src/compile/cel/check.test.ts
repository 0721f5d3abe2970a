import { createRegistry } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { bindingsOf, bytesOf, checkAs, checked, hex, registry, scopeOf, typeNamed } from "./testing/expression.ts";
import { evaluateBool, evaluateKept, evaluateString } from "../../engine/expression/evaluate.ts";
import { loadExpression } from "../../engine/expression/load.ts";
import { formatValueType } from "../../engine/expression/value.ts";
import type { Scope } from "./scope.ts";

const input = { input: "kinds.v1.Everything" };

function typeOf(source: string): string {
  const result = checkAs(source, { kind: "any" }, scopeOf(input));
  return result.kind === "ok"
    ? formatValueType(result.checked.type)
    : result.issues.map((issue) => issue.message).join("; ");
}

describe("what an expression yields when anything is welcome", () => {
  test.each([
    ["1", "int64"],
    ["1u", "uint64"],
    ["input.plain.int32", "int64"],
    ["1.5", "double"],
    ["'a'", "string"],
    ["b'a'", "bytes"],
    ["true", "bool"],
    ["now", "google.protobuf.Timestamp"],
    ["now - now", "google.protobuf.Duration"],
    ["input", "kinds.v1.Everything"],
    ["input.plain.color", "kinds.v1.Color"],
    ["COLOR_RED", "kinds.v1.Color"],
    ["kinds.v1.Color.COLOR_RED", "kinds.v1.Color"],
    ["input.plain.bool ? COLOR_RED : input.plain.color", "kinds.v1.Color"],
    ["[1, 2]", "list(int64)"],
    ["input.lists.color", "list(kinds.v1.Color)"],
    ["input.parts.map(p, p.name)", "list(string)"],
    ["input.parts.filter(p, p.count > 1)", "list(kinds.v1.Part)"],
    ["input.maps.part", "map(string, kinds.v1.Part)"],
    ["{'a': 1.5}", "map(string, double)"],
    ["{1u: true}", "map(uint64, bool)"],
    ["input.known.string", "google.protobuf.StringValue"],
    ["input.known.any", "google.protobuf.Any"],
    ["metadata", "map(string, string)"],
    ["run.deadline", "google.protobuf.Timestamp"],
    ["Part{name: 'x'}", "kinds.v1.Part"],
  ])("%s is %s", (source, type) => {
    expect(typeOf(source)).toBe(type);
  });
});

describe("the wanted type is pushed down", () => {
  test.each([
    ["into a condition", "input.plain.bool ? {name: 'a'} : {'name': 'b'}", "kinds.v1.Part"],
    [
      "into both arms of nested conditions",
      "input.plain.bool ? {} : (input.plain.int32 > 1 ? input.present.part : Part{})",
      "kinds.v1.Part",
    ],
    ["into a list", "[{name: 'a'}, input.present.part]", "list(kinds.v1.Part)"],
    ["into a sum of lists", "[{name: 'a'}] + input.parts + [{}]", "list(kinds.v1.Part)"],
    ["into map()", "input.parts.map(p, {name: p.name, count: p.count})", "list(kinds.v1.Part)"],
    ["into map() with a test", "input.parts.map(p, p.name != '', {inner: p})", "list(kinds.v1.Part)"],
    ["into nested map()", "{parts: input.parts.map(p, {tags: p.tags.map(t, t + '!')})}", "kinds.v1.Everything"],
    ["into the values of a map", "{'a': {name: 'x'}, 'b': input.present.part}", "map(string, kinds.v1.Part)"],
    ["into numbers", "[1, 2]", "list(double)"],
    ["into unsigned numbers", "{'a': 1}", "map(string, uint32)"],
    ["into an enum's value", "[COLOR_RED, Color.COLOR_BLUE, input.plain.color, 0]", "list(kinds.v1.Color)"],
    ["into a wrapper", "1", "google.protobuf.DoubleValue"],
    ["into JSON", "{'a': [1, 'x', null, {'b': true}]}", "google.protobuf.Struct"],
  ])("%s", (_, source, type) => {
    const result = checkAs(source, { kind: "value", type: typeNamed(type) }, scopeOf(input));
    expect(result).toMatchObject({ kind: "ok" });
  });

  test("a literal takes on the kind of number beside it", () => {
    const sources = [
      "input.plain.double * 2",
      "2 + input.plain.uint32",
      "input.plain.uint32 in [1, 2]",
      "1 in input.lists.double",
    ];
    for (const source of sources)
      expect(checkAs(source, { kind: "any" }, scopeOf(input)), source).toMatchObject({ kind: "ok" });
  });

  test("a bare name takes on the enum beside it", () => {
    const scope = scopeOf({ order: "payment.v1.ChargeRequest" });
    for (const source of [
      "order.method == METHOD_CARD",
      "METHOD_CARD != order.method",
      "order.method in [METHOD_CARD, METHOD_INVOICE]",
    ]) {
      expect(checkAs(source, { kind: "bool" }, scope, "shop.v1"), source).toMatchObject({ kind: "ok" });
    }
  });
});

describe("a step that may not have run", () => {
  const scope: Scope = {
    variables: new Map([
      ["a", { kind: "conditional", type: typeNamed("kinds.v1.Part"), reason: "it has a `when`" }],
      ["b", { kind: "conditional", type: typeNamed("kinds.v1.Part"), reason: "it is in another arm" }],
      ["c", { kind: "certain", type: typeNamed("kinds.v1.Part") }],
    ]),
    steps: new Map([
      ["a", { kind: "visible" }],
      ["b", { kind: "visible" }],
      ["c", { kind: "visible" }],
    ]),
    builtIns: new Set(),
  };

  test.each([
    "has(steps.a) ? a.name == '' : true",
    "!has(steps.a) ? true : a.name == ''",
    "has(steps.a) && a.name == ''",
    "!has(steps.a) || a.name == ''",
    "has(steps.a) && has(steps.b) && a.name == b.name",
    "has(steps.a) && (has(steps.b) && a.name == b.name)",
    "!(has(steps.a) && has(steps.b)) || a.name == b.name",
    "!(!has(steps.a) || !has(steps.b)) ? a.name == b.name : false",
    "(has(steps.a) && c.name == '') || c.name == 'x' ? c.name == '' : false",
    "has(steps.a) ? c.tags.exists(t, t == a.name) : false",
    "(has(steps.a) && has(steps.b)) || (has(steps.a) && c.name == '') ? a.name == '' : true",
    "has(steps.c) && c.name == ''",
    "steps.a.attempts > 1u",
  ])("may be read: %s", (source) => {
    expect(checkAs(source, { kind: "bool" }, scope)).toMatchObject({ kind: "ok" });
  });

  test.each([
    ["a.name == ''", ["a"]],
    ["has(steps.b) ? a.name == '' : true", ["a"]],
    ["has(steps.a) ? true : a.name == ''", ["a"]],
    ["a.name == '' && has(steps.a)", ["a"]],
    ["has(steps.a) || a.name == ''", ["a"]],
    ["!has(steps.a) && a.name == ''", ["a"]],
    ["has(steps.a) || has(steps.b) ? a.name == b.name : true", ["a", "b"]],
    ["(has(steps.a) ? true : true) && a.name == ''", ["a"]],
    ["has(a.inner)", ["a"]],
    ["(has(steps.a) && a.name == '') ? b.name == '' : a.name == ''", ["b", "a"]],
  ])("may not be read: %s", (source, ids) => {
    const result = checkAs(source, { kind: "bool" }, scope);
    const told =
      result.kind === "wrong" ? result.issues.map(({ code, message }) => `${code} ${message.split(" ")[1] ?? ""}`) : [];
    expect(told).toEqual(ids.map((id) => `CEL_MAY_NOT_HAVE_RUN '${id}'`));
  });

  test("is asked for at run time by its id", () => {
    const { bytes, reads, steps } = checked(
      "has(steps.a) ? a.name : 'none of ' + string(steps.c.attempts)",
      { kind: "string" },
      scope,
    );
    expect([reads, steps]).toEqual([["a"], ["a", "c"]]);
    const expression = loadExpression(bytes, registry);
    const record = { attempts: 3, startedAt: undefined, endedAt: undefined, decision: undefined };
    const bindings = bindingsOf({ a: bytesOf("kinds.v1.Part", { name: "x" }) });
    expect(evaluateString(expression, { ...bindings, step: (id) => (id === "a" ? record : undefined) })).toEqual({
      kind: "value",
      value: "x",
    });
    expect(evaluateString(expression, { ...bindings, step: (id) => (id === "c" ? record : undefined) })).toEqual({
      kind: "value",
      value: "none of 3",
    });
    expect(evaluateString(expression, bindings)).toEqual({ kind: "value", value: "none of 0" });
  });
});

describe("a stored expression", () => {
  const source =
    "{parts: input.parts.filter(p, p.count > 1).map(p, {name: p.name + metadata.tenant, count: p.count}), known: {timestamp: now}}";
  const wanted = { kind: "value", type: typeNamed("kinds.v1.Everything") } as const;

  test("is the same bytes for the same expression, and says what it needs", () => {
    const first = checked(source, wanted, scopeOf(input));
    const second = checked(source, wanted, scopeOf(input));
    expect(hex(first.bytes)).toBe(hex(second.bytes));
    expect(first).toMatchObject({
      reads: ["input"],
      steps: [],
      builtIns: ["metadata", "now"],
      types: ["kinds.v1.Everything", "kinds.v1.Known", "kinds.v1.Part"],
    });
  });

  test("keeps its form for ever", async () => {
    const { bytes } = checked(source, wanted, scopeOf(input));
    await expect(`${hex(bytes).replaceAll(/(.{100})/g, "$1\n")}\n`).toMatchFileSnapshot("testdata/stored.hex");
    const result = evaluateKept(
      loadExpression(bytes, registry),
      bindingsOf({ input: bytesOf("kinds.v1.Everything", { parts: [{ name: "a" }, { name: "b", count: 2 }] }) }),
    );
    const expected = bytesOf("kinds.v1.Everything", {
      parts: [{ name: "bacme", count: 2 }],
      known: { timestamp: "2026-01-01T00:00:00.000000005Z" },
    });
    expect(result).toEqual({ kind: "value", value: { type: "kinds.v1.Everything", bytes: expected } });
  });

  test("of another form, or without its types, is refused", () => {
    const { bytes } = checked("true", { kind: "bool" }, scopeOf({}));
    const later = Uint8Array.from(bytes, (byte, at) => (at === 1 ? 2 : byte));
    expect(() => loadExpression(later, registry)).toThrow("a stored expression has format 2, this engine knows 1");
    expect(evaluateBool(loadExpression(bytes, registry), bindingsOf({}))).toEqual({ kind: "value", value: true });
    const mapping = checked(source, wanted, scopeOf(input));
    expect(() => loadExpression(mapping.bytes, createRegistry())).toThrow("the plan's descriptors lack kinds.v1.Part");
  });
});
