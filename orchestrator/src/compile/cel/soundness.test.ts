import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Bindings } from "../../engine/expression/bindings.ts";
import { encodeMessage } from "../../engine/expression/encode.ts";
import { evaluateKept } from "../../engine/expression/evaluate.ts";
import { loadExpression } from "../../engine/expression/load.ts";
import type { Scope } from "./scope.ts";
import { bindingsOf, bytesOf, checkAs, hex, messageNamed, registry, typeNamed } from "./testing/expression.ts";

/** Variables that may be there or not: `maybe` has a result in some runs only. */
const scope: Scope = {
  variables: new Map([
    ["input", { kind: "certain", type: typeNamed("kinds.v1.Everything") }],
    ["names", { kind: "certain", type: typeNamed("list(string)") }],
    ["maybe", { kind: "conditional", type: typeNamed("kinds.v1.Part"), reason: "it has a `when`" }],
  ]),
  steps: new Map([["maybe", { kind: "visible" }]]),
  builtIns: new Set(["run", "now", "metadata"]),
};

type Texts = Record<
  | "bool"
  | "int"
  | "uint"
  | "double"
  | "string"
  | "bytes"
  | "time"
  | "span"
  | "color"
  | "part"
  | "parts"
  | "strings"
  | "ints",
  string
>;

function form(strings: TemplateStringsArray, ...parts: fc.Arbitrary<string>[]): fc.Arbitrary<string> {
  return fc.tuple(...parts).map((values) => String.raw({ raw: strings }, ...values));
}

/** The field that an entry of a mapping sets. */
function fieldOf(entry: string): string | undefined {
  return entry.split(":")[0];
}

const one = (...texts: string[]): fc.Arbitrary<string> => fc.constantFrom(...texts);

/** Well-typed expressions of each type, by how expressions of other types make them. */
const { everything, ...byType } = fc.letrec<Texts & { everything: string }>((tie) => {
  const t = {
    bool: tie("bool"),
    int: tie("int"),
    uint: tie("uint"),
    double: tie("double"),
    string: tie("string"),
    bytes: tie("bytes"),
    time: tie("time"),
    span: tie("span"),
    color: tie("color"),
    part: tie("part"),
    parts: tie("parts"),
    strings: tie("strings"),
    ints: tie("ints"),
  };
  const pick = (plain: fc.Arbitrary<string>, ...made: fc.Arbitrary<string>[]): fc.Arbitrary<string> =>
    fc.oneof({ depthSize: "small", withCrossShrink: true }, plain, ...made);
  const order = one("<", "<=", ">", ">=", "==", "!=");
  const arithmetic = one("+", "-", "*", "/");
  return {
    bool: pick(
      one(
        "true",
        "false",
        "input.plain.bool",
        "has(input.present.part)",
        "has(steps.maybe)",
        "has(input.present.int32)",
        "(input.known.bool == null)",
      ),
      form`(${t.bool} && ${t.bool})`,
      form`(${t.bool} || ${t.bool})`,
      form`!${t.bool}`,
      form`(${t.int} ${order} ${t.int})`,
      form`(${t.uint} < ${t.int})`,
      form`(${t.double} ${order} ${t.double})`,
      form`(${t.string} ${order} ${t.string})`,
      form`(${t.time} ${order} ${t.time})`,
      form`(${t.span} ${order} ${t.span})`,
      form`(${t.part} == ${t.part})`,
      form`(${t.parts} != ${t.parts})`,
      form`(${t.string} in ${t.strings})`,
      form`(${t.string} in input.maps.string)`,
      form`(${t.int} in ${t.ints})`,
      form`${t.parts}.all(p, p.count < ${t.int})`,
      form`${t.strings}.exists(s, s.startsWith(${t.string}))`,
      form`${t.strings}.exists_one(s, s == ${t.string})`,
      form`${t.string}.contains(${t.string})`,
      form`(!has(steps.maybe) || maybe.name == ${t.string})`,
      form`(${t.color} == ${t.color})`,
      form`${t.strings}.all(i, s, i < ${t.int} || s == ${t.string})`,
      form`${t.parts}.existsOne(i, p, p.count == i)`,
      form`cel.bind(b, ${t.bool}, b || !b)`,
      form`input.maps.string.exists(k, v, k == v || k == ${t.string})`,
      form`(input.present.?part.hasValue() || optional.of(${t.int}) == optional.none())`,
      form`(optional.ofNonZeroValue(${t.part}) == optional.of(${t.part}))`,
    ),
    int: pick(
      one(
        "0",
        "-1",
        "3",
        "9223372036854775807",
        "input.plain.int32",
        "input.present.int64",
        "input.plain.sint64",
        "input.lists.int64[0]",
        "int(steps.maybe.attempts)",
      ),
      form`(${t.int} ${arithmetic} ${t.int})`,
      form`(${t.int} % ${t.int})`,
      form`-(${t.int})`,
      form`(${t.bool} ? ${t.int} : ${t.int})`,
      form`size(${t.string})`,
      form`size(${t.parts})`,
      form`${t.bytes}.size()`,
      form`int(${t.double})`,
      form`int(${t.uint})`,
      form`int(${t.time})`,
      form`${t.time}.getFullYear()`,
      form`${t.time}.getHours('Europe/Berlin')`,
      form`${t.span}.getMinutes()`,
      form`${t.string}.indexOf(${t.string})`,
      form`${t.ints}[${t.int}]`,
      form`${t.part}.count`,
      form`(0 + ${t.color})`,
      form`cel.bind(n, ${t.int}, n - n)`,
      form`input.present.?int32.orValue(${t.int})`,
      form`${t.ints}[?${t.int}].orValue(${t.int})`,
      form`${t.strings}.transformMap(i, s, i > 0, size(s)).size()`,
      form`optional.none().or(optional.of(${t.int})).value()`,
    ),
    uint: pick(
      one("0u", "7u", "input.plain.uint32", "input.plain.fixed64", "input.present.uint64"),
      form`(${t.uint} ${arithmetic} ${t.uint})`,
      form`uint(${t.int})`,
      form`(${t.bool} ? ${t.uint} : ${t.uint})`,
    ),
    double: pick(
      one("0.5", "-1e300", "input.plain.double", "input.present.float", "double('NaN')"),
      form`(${t.double} ${arithmetic} ${t.double})`,
      form`(${t.double} + 2)`,
      form`double(${t.int})`,
      form`-(${t.double})`,
    ),
    string: pick(
      one(
        "''",
        "'a'",
        "'é😀'",
        "input.plain.string",
        "input.present.string",
        "input.present.text",
        "run.id",
        "metadata.tenant",
      ),
      form`(${t.string} + ${t.string})`,
      form`string(${t.int})`,
      form`string(${t.double})`,
      form`string(${t.time})`,
      form`string(${t.bool})`,
      form`string(${t.bytes})`,
      form`(${t.bool} ? ${t.string} : ${t.string})`,
      form`(has(steps.maybe) ? maybe.name : ${t.string})`,
      form`${t.part}.name`,
      form`${t.strings}.join(${t.string})`,
      form`${t.strings}[${t.int}]`,
      form`${t.string}.upperAscii().trim()`,
      form`${t.string}.substring(${t.int})`,
      form`${t.string}.replace(${t.string}, 'b')`,
      form`input.maps.string[${t.string}]`,
      form`'%s %d'.format([${t.string}, ${t.int}])`,
      form`input.present.?part.name.orValue(${t.string})`,
      form`${t.parts}[?${t.int}].?name.or(optional.of(${t.string})).orValue('')`,
      form`input.maps.string[?${t.string}].optMap(s, s + ${t.string}).orValue('none')`,
      form`input.?present.part.inner.optFlatMap(p, p.?name).orValue(${t.string})`,
      form`input.maps.string.transformMapEntry(k, v, {v + k: ${t.string}}).transformList(k, v, k + v).join('')`,
      form`cel.bind(s, ${t.string}, cel.bind(p, ${t.part}, s + p.name))`,
    ),
    bytes: pick(one("b''", "b'\\xff'", "input.plain.bytes"), form`bytes(${t.string})`, form`(${t.bytes} + ${t.bytes})`),
    time: pick(
      one("now", "input.known.timestamp", "timestamp('2026-03-29T01:30:00Z')", "run.started_at"),
      form`(${t.time} + ${t.span})`,
      form`(${t.time} - ${t.span})`,
      form`timestamp(${t.int})`,
    ),
    span: pick(
      one("duration('90m')", "input.known.duration"),
      form`(${t.time} - ${t.time})`,
      form`(${t.span} + ${t.span})`,
      form`(${t.bool} ? ${t.span} : ${t.span})`,
    ),
    color: pick(
      one("COLOR_RED", "Color.COLOR_BLUE", "input.plain.color", "input.present.color"),
      form`(${t.bool} ? ${t.color} : ${t.color})`,
    ),
    part: pick(
      one("input.present.part", "Part{}", "input.parts[0]"),
      form`kinds.v1.Part{name: ${t.string}, count: ${t.int}}`,
      form`Part{inner: ${t.part}, tags: ${t.strings}, count: input.present.int32}`,
      form`Part{sizes: {${t.string}: ${t.int}}}`,
      form`(${t.bool} ? ${t.part} : ${t.part})`,
      form`${t.parts}[${t.int}]`,
      form`input.maps.part[${t.string}]`,
      form`${t.part}.inner`,
      form`Part{name: 'o', ?count: input.present.?int32, ?inner: ${t.parts}[?0]}`,
      form`cel.bind(p, ${t.part}, Part{name: p.name, inner: p})`,
      form`input.present.?part.orValue(${t.part})`,
    ),
    parts: pick(
      one("input.parts", "input.lists.part", "[Part{}]"),
      form`(${t.parts} + ${t.parts})`,
      form`[${t.part}, ${t.part}]`,
      form`${t.parts}.filter(p, p.name != ${t.string})`,
      form`${t.parts}.map(p, Part{name: p.name + ${t.string}, count: p.count, inner: p.inner})`,
      form`${t.strings}.map(s, s != '', Part{name: s})`,
    ),
    strings: pick(
      one("names", "input.lists.string", "['a', 'b']", "input.present.part.tags"),
      form`[${t.string}]`,
      form`(${t.strings} + [${t.string}])`,
      form`${t.parts}.map(p, p.name)`,
      form`${t.string}.split(${t.string})`,
      form`input.maps.string.map(k, k + ${t.string})`,
      form`${t.strings}.filter(s, size(s) > ${t.int})`,
      form`['a', ?input.present.?string, ?names[?${t.int}]]`,
      form`${t.strings}.transformList(i, s, i > 0, s + string(i))`,
    ),
    ints: pick(
      one("input.lists.int32", "[1, 2, 3]", "input.lists.sint64"),
      form`[${t.int}]`,
      form`${t.strings}.map(s, size(s) * ${t.int})`,
      form`(${t.ints} + ${t.ints})`,
    ),
    everything: fc
      .tuple(
        form`plain: {int32: ${t.int}, uint32: ${t.uint}, double: ${t.double}, float: ${t.double}, bool: ${t.bool}, string: ${t.string}, bytes: ${t.bytes}, color: ${t.color}}`,
        form`present: {int32: input.present.int32, string: ${t.bool} ? input.present.string : ${t.string}, part: ${t.part}, text: input.present.text, number: input.present.number}`,
        form`known: {timestamp: ${t.time}, duration: ${t.span}, struct: {'a': ${t.int}, ${t.string}: [${t.string}]}, any: ${t.part}, string: ${t.string}, int32: input.known.int32, value: ${t.parts}}`,
        form`lists: {string: ${t.strings}, int32: ${t.ints}, part: ${t.parts}, wrapped: ${t.strings}, color: [${t.color}]}`,
        form`maps: {string: {${t.string}: ${t.string}}, part: {'x': ${t.part}}, color: {'c': ${t.color}}, wrapped: {'w': ${t.int}}}`,
        form`plain: cel.bind(n, ${t.int}, {int64: n, ?string: input.present.?string, ?uint32: input.present.?uint32})`,
        form`maps: {string: input.maps.string.transformMap(k, v, v + ${t.string}), part: {?'x': input.present.?part}, wrapped: ${t.strings}.transformMapEntry(i, s, {s: i})}`,
        form`parts: ${t.strings}.transformList(i, s, {name: s, count: i})`,
        form`parts: ${t.parts}.map(p, {name: p.name, count: p.count, inner: {tags: p.tags.map(x, x + ${t.string})}})`,
      )
      .chain((parts) => fc.subarray(parts, { minLength: 1 }))
      .map((parts) => parts.filter((part, at) => parts.findIndex((other) => fieldOf(other) === fieldOf(part)) === at))
      .map((parts) => `{${parts.join(", ")}}`),
  };
});

const textValue = fc.string({ unit: "grapheme", maxLength: 6 });
const count = fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff });
const partValue = fc.record(
  { name: textValue, count, tags: fc.array(textValue, { maxLength: 3 }) },
  { requiredKeys: [] },
);
const inputValue = fc.record(
  {
    plain: fc.record(
      {
        int32: count,
        uint32: fc.nat(),
        double: fc.double({ noNaN: true, noDefaultInfinity: true }),
        bool: fc.boolean(),
        string: textValue,
        color: fc.constantFrom(0, 1, -2, 9),
      },
      { requiredKeys: [] },
    ),
    present: fc.record(
      { int32: count, string: textValue, part: partValue, text: textValue, color: fc.constantFrom(0, 1) },
      { requiredKeys: [] },
    ),
    known: fc.record(
      {
        timestamp: fc.constant("2026-02-28T23:59:59.5Z"),
        duration: fc.constant("-1.5s"),
        bool: fc.boolean(),
        int32: count,
      },
      { requiredKeys: [] },
    ),
    lists: fc.record(
      {
        int32: fc.array(count, { maxLength: 4 }),
        string: fc.array(textValue, { maxLength: 4 }),
        part: fc.array(partValue, { maxLength: 3 }),
      },
      { requiredKeys: [] },
    ),
    maps: fc.record(
      { string: fc.dictionary(fc.constantFrom("a", "b", "é"), textValue), part: fc.dictionary(textValue, partValue) },
      { requiredKeys: [] },
    ),
    parts: fc.array(partValue, { maxLength: 4 }),
  },
  { requiredKeys: [] },
);

/** What may go wrong when types are right. */
const allowed =
  /overflow|is there twice|division by zero|out of range|has no key|field not found: tenant|does not fit|is no (whole )?number|not Unicode|too many steps|outside the years|too long|longer than|Failed to decode bytes|index|is set already|duration|substring|start|invalid/i;

const typeErrors =
  /no matching overload|is expected|unbound|mismatch|unresolved|unsupported|Not a CEL value|can't be indexed|has no value/;

function bindings(json: object, has: boolean): Bindings {
  const record = { attempts: 2, startedAt: undefined, endedAt: undefined, decision: undefined };
  const plain = bindingsOf({
    input: bytesOf("kinds.v1.Everything", JSON.parse(JSON.stringify(json))),
    names: Uint8Array.from([0x0a, 1, 0x61, 0x0a, 0]),
    ...(has ? { maybe: bytesOf("kinds.v1.Part", { name: "m" }) } : {}),
  });
  return {
    ...plain,
    step: (id) => (has && id === "maybe" ? record : undefined),
    run: { id: "r", key: "", workflow: "w", version: 1, startedAt: undefined, deadline: undefined },
  };
}

const named = {
  bool: "bool",
  int: "int64",
  uint: "uint64",
  double: "double",
  string: "string",
  bytes: "bytes",
  time: "google.protobuf.Timestamp",
  span: "google.protobuf.Duration",
  color: "kinds.v1.Color",
  part: "kinds.v1.Part",
  parts: "list(kinds.v1.Part)",
  strings: "list(string)",
  ints: "list(int64)",
} as const;

test.each(Object.keys(named) as (keyof typeof named)[])("a well-typed expression of %s never fails by type", (kind) => {
  fc.assert(
    fc.property(byType[kind], inputValue, fc.boolean(), (source, json, has) => {
      expect(run(source, named[kind], bindings(json, has)).problem, source).toBeUndefined();
    }),
    { numRuns: 80 },
  );
});

test("a well-typed mapping never fails by type, and its bytes are deterministic", () => {
  fc.assert(
    fc.property(everything, inputValue, fc.boolean(), (source, json, has) => {
      const { problem, bytes } = run(source, "kinds.v1.Everything", bindings(json, has));
      expect(problem, source).toBeUndefined();
      const desc = messageNamed("kinds.v1.Everything");
      const message = fromBinary(desc, bytes);
      expect(hex(encodeMessage(reflect(desc, message)))).toBe(hex(bytes));
      expect(hex(toBinary(desc, message))).toHaveLength(bytes.length * 2);
    }),
    { numRuns: 200 },
  );
});

interface Ran {
  readonly problem: string | undefined;
  /** Empty when it stopped for a reason that types don't rule out. */
  readonly bytes: Uint8Array;
}

function run(source: string, type: string, given: Bindings): Ran {
  const result = checkAs(source, { kind: "value", type: typeNamed(type) }, scope);
  if (result.kind === "wrong") {
    // Only bounds, and constants out of range, may stop a well-typed expression.
    const other = result.issues.find(({ code }) => code !== "CEL_LIMIT" && code !== "CEL_CONSTANT");
    return { problem: other?.message, bytes: new Uint8Array() };
  }
  const value = evaluateKept(loadExpression(result.checked.bytes, registry), given);
  if (value.kind === "value") return { problem: undefined, bytes: value.value.bytes };
  const isAllowed = allowed.test(value.message) && !typeErrors.test(value.message);
  return { problem: isAllowed ? undefined : value.message, bytes: new Uint8Array() };
}
