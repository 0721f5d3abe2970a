import { ExprSchema } from "@bufbuild/cel-spec/cel/expr/syntax_pb.js";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import type { JsonObject } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CompiledExpression } from "../../../../proto/gen/sidestep/internal/v1/expression.ts";
import { toCopyFields } from "../../engine/expression/copyFields.ts";
import type { CopyFields } from "../../engine/expression/copyFields.ts";
import type { Bindings } from "../../engine/expression/bindings.ts";
import { encodeMessage } from "../../engine/expression/encode.ts";
import { toEnvironment } from "../../engine/expression/environment.ts";
import { defaultBudget } from "../../engine/expression/evaluate.ts";
import { toEvaluate } from "../../engine/expression/load.ts";
import type { Expression } from "../../engine/expression/load.ts";
import { isEncoded } from "../../engine/expression/wirePlaces.ts";
import { bindingsOf, bytesOf, checked, hex, messageNamed, registry, scopeOf, typeNamed } from "./testing/expression.ts";

const everything = "kinds.v1.Everything";
const environment = toEnvironment(registry);

/** A mapping in both ways: copied on the wire, where it is a mapping of bare selections, and evaluated. */
function both(
  source: string,
  type: string,
): { readonly copy: CopyFields | undefined; readonly evaluate: Expression["evaluate"] } {
  const { bytes } = checked(
    source,
    { kind: "value", type: typeNamed(type) },
    scopeOf({ input: everything, other: everything }),
  );
  const compiled = CompiledExpression.decode(bytes);
  const syntax = fromBinary(ExprSchema, compiled.syntax);
  return {
    copy: toCopyFields(compiled, syntax, environment.registry),
    evaluate: toEvaluate(compiled, syntax, environment),
  };
}

const left = "left to evaluation";

function copied({ copy }: ReturnType<typeof both>, bindings: Bindings): string {
  const bytes = copy?.(bindings);
  return bytes === undefined ? left : hex(bytes);
}

function evaluated(evaluate: Expression["evaluate"], bindings: Bindings): string {
  const result = evaluate(bindings, defaultBudget);
  if (result.kind === "failed") return result.message;
  return result.value.kind === "kept" ? hex(result.value.value.bytes) : result.value.kind;
}

const plain = messageNamed("kinds.v1.Plain").fields.map(({ name }) => name);
const present = messageNamed("kinds.v1.Present")
  .fields.filter(({ oneof }) => oneof === undefined)
  .map(({ name }) => name);
const lists = messageNamed("kinds.v1.Lists").fields.map(({ name }) => name);

const int32 = fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff });
const int64 = fc.oneof(fc.integer(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })).map(String);
const uint64 = fc.oneof(fc.nat(), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })).map(String);
const finite = { noNaN: true, noDefaultInfinity: true };
const rarely = fc.constantFrom("NaN", "Infinity", "-Infinity", -0);
const double = fc.oneof({ weight: 40, arbitrary: fc.double(finite) }, rarely);
const float = fc.oneof({ weight: 40, arbitrary: fc.float(finite) }, rarely);
const text = fc.string({ unit: "binary", maxLength: 6 }).filter((value) => value.isWellFormed());
const bytes = fc.uint8Array({ maxLength: 5 }).map((value) => Buffer.from(value).toString("base64"));
const scalars = {
  double,
  float,
  int32,
  int64,
  uint32: fc.integer({ min: 0, max: 0xffff_ffff }),
  uint64,
  sint32: int32,
  sint64: int64,
  fixed32: fc.integer({ min: 0, max: 0xffff_ffff }),
  fixed64: uint64,
  sfixed32: int32,
  sfixed64: int64,
  bool: fc.boolean(),
  string: text,
  bytes,
  color: fc.constantFrom(0, 1, -2, 9),
};
const some = { requiredKeys: [] };
const part = fc.record(
  { name: text, count: int32, tags: fc.array(text, { maxLength: 2 }), inner: fc.record({ name: text }) },
  some,
);
const listed: Readonly<Record<string, fc.Arbitrary<unknown>>> = Object.fromEntries(
  Object.entries(scalars).map(([name, value]) => [name, fc.array<unknown>(value, { maxLength: 3 })]),
);
/** An Everything as JSON; few have what stops copying wherever it stands. */
const inputValue: fc.Arbitrary<JsonObject> = fc
  .record(
    {
      plain: fc.record(scalars, some),
      present: fc.record({ ...scalars, part }, some),
      known: fc.record(
        { timestamp: fc.constantFrom("2026-02-28T23:59:59.5Z", "1960-01-01T00:00:00Z"), duration: fc.constant("1.5s") },
        some,
      ),
      lists: fc.record(
        {
          ...listed,
          part: fc.array(part, { maxLength: 2 }),
          unpacked: fc.array(int32, { maxLength: 3 }),
          timestamp: fc.array(fc.constant("2026-02-28T23:59:59Z"), { maxLength: 2 }),
        },
        some,
      ),
      maps: fc.option(fc.record({ string: fc.dictionary(text, text, { maxKeys: 2 }) }), { freq: 1, nil: undefined }),
      parts: fc.array(part, { maxLength: 2 }),
    },
    some,
  )
  .map((value): JsonObject => JSON.parse(JSON.stringify(value)));

const mappings: readonly (readonly [string, string])[] = [
  ...plain.map((name) => [`{${name}: input.plain.${name}}`, "kinds.v1.Plain"] as const),
  ...present.map((name) => [`{${name}: input.present.${name}}`, "kinds.v1.Present"] as const),
  ...lists
    .filter((name) => name !== "wrapped" && name !== "value")
    .map((name) => [`{${name}: input.lists.${name}}`, "kinds.v1.Lists"] as const),
  ["{plain: input.plain, known: other.known, present: {string: other.present.string}}", everything],
  [
    "{lists: {string: other.lists.string, part: input.lists.part}, plain: {bytes: input.plain.bytes, string: other.plain.string}}",
    everything,
  ],
  ["{timestamp: input.known.timestamp, duration: other.known.duration}", "kinds.v1.Known"],
  ["{name: input.plain.string}", "kinds.v1.Part"],
  ["{}", "kinds.v1.Part"],
];

describe("a mapping of bare selections", () => {
  test.each(mappings)("%s copies what evaluation comes to", (source, type) => {
    const ways = both(source, type);
    let copies = 0;
    fc.assert(
      fc.property(inputValue, inputValue, (first, second) => {
        const bindings = bindingsOf({ input: bytesOf(everything, first), other: bytesOf(everything, second) });
        const found = copied(ways, bindings);
        if (found !== left) copies += 1;
        expect([left, evaluated(ways.evaluate, bindings)], source).toContain(found);
      }),
      { numRuns: 100 },
    );
    expect(copies).toBeGreaterThan(5);
  });

  test("two of its fields, wherever they come from", () => {
    const from = fc.constantFrom("input", "other");
    const names = fc.tuple(fc.constantFrom(...plain), fc.constantFrom(...present));
    fc.assert(
      fc.property(names, from, from, inputValue, inputValue, ([a, b], fromA, fromB, first, second) => {
        const inside = (of: string, name: string, variable: string) => `${of}: {${name}: ${variable}.${of}.${name}}`;
        const ways = both(`{${inside("present", b, fromB)}, ${inside("plain", a, fromA)}}`, everything);
        const bindings = bindingsOf({ input: bytesOf(everything, first), other: bytesOf(everything, second) });
        expect([left, evaluated(ways.evaluate, bindings)]).toContain(copied(ways, bindings));
      }),
      { numRuns: 150 },
    );
  });

  test("bytes that are broken, or not the one encoding, are left to evaluation or come to the same", () => {
    const ways = both("{plain: {string: input.plain.string}, present: input.present}", everything);
    fc.assert(
      fc.property(inputValue, fc.nat(), fc.nat(255), (value, at, byte) => {
        const input = bytesOf(everything, value);
        if (input.length > 0) input[at % input.length] = byte;
        expect([left, evaluated(ways.evaluate, bindingsOf({ input }))]).toContain(copied(ways, bindingsOf({ input })));
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("what is not copied", () => {
  test.each([
    ["{string: input.plain.string + 'x'}", "kinds.v1.Plain"],
    ["{string: input.present.string}", "kinds.v1.Plain"],
    ["{string: input.plain.string}", "kinds.v1.Present"],
    ["{int64: input.plain.int32}", "kinds.v1.Plain"],
    ["{string: input.known.string}", "kinds.v1.Plain"],
    ["{text: input.present.text}", "kinds.v1.Present"],
    ["{struct: input.known.struct}", "kinds.v1.Known"],
    ["{tags: input.lists.string}", "kinds.v1.Part"],
    ["{string: input.lists.string[0]}", "kinds.v1.Plain"],
    ["{string: true ? input.plain.string : ''}", "kinds.v1.Plain"],
  ])("%s", (source, type) => {
    expect(both(source, type).copy).toBeUndefined();
  });

  const { copy } = both("{string: input.plain.string}", "kinds.v1.Plain");
  const of = (...plainBytes: number[]): Uint8Array => Uint8Array.of(0x0a, plainBytes.length, ...plainBytes);

  test.each<readonly [string, Uint8Array]>([
    ["text that is no UTF-8", of(0x72, 1, 0xff)],
    ["half a pair", of(0x72, 3, 0xed, 0xa0, 0x80)],
    ["a default that is written", of(0x72, 0)],
    ["a field twice", of(0x72, 1, 0x61, 0x72, 1, 0x62)],
    ["fields out of order", of(0x72, 1, 0x61, 0x18, 1)],
    ["a field that nobody knows", of(0x72, 1, 0x61, 0xf8, 0x01, 1)],
    ["a length that goes on", of(0x72, 5, 0x61)],
    ["a number in a longer form", of(0x18, 0x81, 0x00, 0x72, 1, 0x61)],
    ["an int32 that is none", of(0x18, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x72, 1, 0x61)],
    ["an int64 that is none", of(0x20, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x03, 0x72, 1, 0x61)],
    ["a double that is no number", of(0x09, 1, 0, 0, 0, 0, 0, 0xf8, 0x7f, 0x72, 1, 0x61)],
    ["a group", of(0x73, 0x74)],
  ])("a message with %s", (_, input) => {
    expect(copy?.(bindingsOf({ input }))).toBeUndefined();
  });

  test("the same message without that is", () => {
    expect(hex(copy?.(bindingsOf({ input: of(0x18, 1, 0x72, 3, 0x61, 0xc3, 0xa9) })) ?? new Uint8Array())).toBe(
      "720361c3a9",
    );
    expect(copy?.(bindingsOf({ input: new Uint8Array() }))).toEqual(new Uint8Array());
  });

  test("a variable without a value, or one that is large", () => {
    expect(copy?.(bindingsOf({}))).toBeUndefined();
    const large: JsonObject = { plain: { string: "x".repeat(16_384) } };
    expect(copy?.(bindingsOf({ input: bytesOf(everything, large) }))).toBeUndefined();
  });
});

test("the rest of a message is looked at, too: what can't be decoded fails as it does when all of it is", () => {
  const { copy, evaluate } = both("{string: input.plain.string}", "kinds.v1.Plain");
  const good = bytesOf(everything, { plain: { string: "a" }, parts: [{ name: "b" }] });
  expect(copy?.(bindingsOf({ input: good }))).toBeDefined();
  const broken = good.slice();
  broken[broken.length - 1] = 0xff;
  expect(copy?.(bindingsOf({ input: broken }))).toBeUndefined();
  expect(evaluated(evaluate, bindingsOf({ input: broken }))).toMatch(/can't be decoded/);
  expect(toBinary(messageNamed(everything), fromBinary(messageNamed(everything), good))).toEqual(good);
});

test("what is said to be the one encoding is what encoding makes of it", () => {
  const desc = messageNamed(everything);
  const again = (made: Uint8Array): string => {
    try {
      return hex(encodeMessage(reflect(desc, fromBinary(desc, made), false)));
    } catch (error) {
      return String(error);
    }
  };
  let encoded = 0;
  fc.assert(
    fc.property(inputValue, fc.nat(), fc.option(fc.nat(255)), (value, at, byte) => {
      const input = bytesOf(everything, value);
      if (input.length > 0 && byte !== null) input[at % input.length] = byte;
      const isSame = isEncoded(desc, input);
      if (isSame) encoded += 1;
      expect(isSame ? again(input) : hex(input)).toBe(hex(input));
    }),
    { numRuns: 2_000 },
  );
  expect(encoded).toBeGreaterThan(100);
});
