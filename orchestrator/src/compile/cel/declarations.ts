import {
  boolType,
  bytesType,
  doubleType,
  durationType,
  dynType,
  intType,
  listOf,
  mapOf,
  stringType,
  optionalOf,
  timestampType,
  uintType,
} from "./type.ts";
import type { CelType } from "./type.ts";

/** One form of a function. */
export interface Signature {
  /** Called as a.f(b): `a` is the first of the arguments. */
  readonly isMember: boolean;
  readonly parameters: readonly CelType[];
  readonly result: CelType;
}

/** Forms by the name of the function. */
export type Declarations = ReadonlyMap<string, readonly Signature[]>;

const A: CelType = { kind: "unknown", number: -1 };
const B: CelType = { kind: "unknown", number: -2 };

function plain(...types: readonly [CelType, ...CelType[]]): Signature {
  return { isMember: false, parameters: types.slice(0, -1), result: types.at(-1) ?? dynType };
}

function member(...types: readonly [CelType, ...CelType[]]): Signature {
  return { ...plain(...types), isMember: true };
}

const ordered = [boolType, intType, uintType, doubleType, stringType, bytesType, timestampType, durationType];
const numbers = [intType, uintType, doubleType];

const comparison: readonly Signature[] = [
  ...ordered.map((type) => plain(type, type, boolType)),
  ...numbers.flatMap((left) => numbers.filter((right) => right !== left).map((right) => plain(left, right, boolType))),
];

const calendar: readonly Signature[] = [member(timestampType, intType), member(timestampType, stringType, intType)];
const clock: readonly Signature[] = [...calendar, member(durationType, intType)];
const test: Signature = member(stringType, stringType, boolType);
const list = listOf(A);
const map = mapOf(A, B);
const optional = optionalOf(A);

/** Of a list or map, and of an optional one. */
const optionalIndices: readonly Signature[] = [
  plain(list, intType, optional),
  plain(map, A, optionalOf(B)),
  plain(optionalOf(list), intType, optional),
  plain(optionalOf(map), A, optionalOf(B)),
];

function conversions(result: CelType, from: readonly CelType[]): readonly Signature[] {
  return from.map((type) => plain(type, result));
}

/** The standard functions of CEL and its strings extension, as far as the evaluator has them. */
export const standardDeclarations: Declarations = new Map<string, readonly Signature[]>([
  ["_?_:_", [plain(boolType, A, A, A)]],
  ["_&&_", [plain(boolType, boolType, boolType)]],
  ["_||_", [plain(boolType, boolType, boolType)]],
  ["!_", [plain(boolType, boolType)]],
  ["@not_strictly_false", [plain(boolType, boolType)]],
  ["_==_", [plain(A, A, boolType)]],
  ["_!=_", [plain(A, A, boolType)]],
  ["_<_", comparison],
  ["_<=_", comparison],
  ["_>_", comparison],
  ["_>=_", comparison],
  [
    "_+_",
    [
      ...[...numbers, stringType, bytesType, list, durationType].map((type) => plain(type, type, type)),
      plain(timestampType, durationType, timestampType),
      plain(durationType, timestampType, timestampType),
    ],
  ],
  [
    "_-_",
    [
      ...[...numbers, durationType].map((type) => plain(type, type, type)),
      plain(timestampType, timestampType, durationType),
      plain(timestampType, durationType, timestampType),
    ],
  ],
  ["_*_", numbers.map((type) => plain(type, type, type))],
  ["_/_", numbers.map((type) => plain(type, type, type))],
  ["_%_", [intType, uintType].map((type) => plain(type, type, type))],
  ["-_", [intType, doubleType].map((type) => plain(type, type))],
  ["_[_]", [plain(list, intType, A), plain(map, A, B), ...optionalIndices.slice(2)]],
  ["_[?_]", optionalIndices],
  ["optional.of", [plain(A, optional)]],
  ["optional.ofNonZeroValue", [plain(A, optional)]],
  ["optional.none", [{ isMember: false, parameters: [], result: optional }]],
  ["hasValue", [member(optional, boolType)]],
  ["value", [member(optional, A)]],
  ["or", [member(optional, optional, optional)]],
  ["orValue", [member(optional, A, A)]],
  ["@in", [plain(A, list, boolType), plain(A, map, boolType)]],
  ["size", [stringType, bytesType, list, map].flatMap((type) => [plain(type, intType), member(type, intType)])],
  ["type", [plain(A, { kind: "type", of: A })]],
  ["int", conversions(intType, [intType, uintType, doubleType, stringType, timestampType, durationType])],
  ["uint", conversions(uintType, [uintType, intType, doubleType, stringType])],
  ["double", conversions(doubleType, [doubleType, intType, uintType, stringType])],
  ["bool", conversions(boolType, [boolType, stringType])],
  [
    "string",
    conversions(stringType, [
      stringType,
      boolType,
      intType,
      uintType,
      doubleType,
      bytesType,
      timestampType,
      durationType,
    ]),
  ],
  ["bytes", conversions(bytesType, [bytesType, stringType])],
  ["timestamp", conversions(timestampType, [timestampType, stringType, intType])],
  ["duration", conversions(durationType, [durationType, stringType])],
  ["dyn", [plain(A, dynType)]],
  ["contains", [test]],
  ["startsWith", [test]],
  ["endsWith", [test]],
  ["matches", [test, plain(stringType, stringType, boolType)]],
  ["getFullYear", calendar],
  ["getMonth", calendar],
  ["getDayOfYear", calendar],
  ["getDayOfMonth", calendar],
  ["getDate", calendar],
  ["getDayOfWeek", calendar],
  ["getHours", clock],
  ["getMinutes", clock],
  ["getSeconds", clock],
  ["getMilliseconds", clock],
  ["charAt", [member(stringType, intType, stringType)]],
  ["indexOf", [member(stringType, stringType, intType), member(stringType, stringType, intType, intType)]],
  ["lastIndexOf", [member(stringType, stringType, intType), member(stringType, stringType, intType, intType)]],
  ["lowerAscii", [member(stringType, stringType)]],
  ["upperAscii", [member(stringType, stringType)]],
  [
    "replace",
    [
      member(stringType, stringType, stringType, stringType),
      member(stringType, stringType, stringType, intType, stringType),
    ],
  ],
  [
    "split",
    [member(stringType, stringType, listOf(stringType)), member(stringType, stringType, intType, listOf(stringType))],
  ],
  ["substring", [member(stringType, intType, stringType), member(stringType, intType, intType, stringType)]],
  ["trim", [member(stringType, stringType)]],
  ["join", [member(listOf(stringType), stringType), member(listOf(stringType), stringType, stringType)]],
  ["strings.quote", [plain(stringType, stringType)]],
  ["format", [member(stringType, listOf(dynType), stringType)]],
]);

/** What other CEL libraries have and this one has not: the hint for each. */
export const knownElsewhere: ReadonlyMap<string, string> = new Map([
  ["reverse", "there is none in this version"],
  ["sort", "lists can't be sorted in this version"],
  ["sortBy", "lists can't be sorted in this version"],
  ["distinct", "there is none in this version"],
  ["flatten", "there is none in this version"],
  ["slice", "there is none in this version"],
  ["range", "there is none in this version"],
  ["greatest", "write a > b ? a : b"],
  ["least", "write a < b ? a : b"],
  ["abs", "write x < 0 ? -x : x"],
  ["ceil", "there is none in this version"],
  ["floor", "int(x) cuts a double towards zero"],
  ["round", "int(x + 0.5) rounds a positive double"],
  ["encode", "bytes can't be turned into base64 in this version"],
  ["decode", "base64 can't be read in this version"],
  ["length", "the function is size(x)"],
  ["len", "the function is size(x)"],
  ["toString", "the function is string(x)"],
  ["str", "the function is string(x)"],
  ["toLowerCase", "the function is lowerAscii()"],
  ["toUpperCase", "the function is upperAscii()"],
  ["lower", "the function is lowerAscii()"],
  ["upper", "the function is upperAscii()"],
  ["now", "the variable is now"],
  ["includes", "the function is contains(x), or x in list"],
  ["any", "the macro is exists(x, test)"],
  ["some", "the macro is exists(x, test)"],
  ["every", "the macro is all(x, test)"],
  ["concat", "the operator is +"],
  ["append", "the operator is +: list + [x]"],
  ["push", "the operator is +: list + [x]"],
  ["reduce", "there is none: sums need a service, or a loop with a carry"],
  ["sum", "there is none: sums need a service, or a loop with a carry"],
  ["forEach", "the macro is map(x, value)"],
  ["find", "the macro is filter(x, test), its first element [0]"],
  ["keys", "map.map(k, k) is the list of the keys"],
  ["values", "map.transformList(k, v, v) is the list of the values"],
  ["get", "a.?b.orValue(c), or a[?key].orValue(c)"],
  ["getOrDefault", "a.?b.orValue(c), or a[?key].orValue(c)"],
  ["isEmpty", "write size(x) == 0"],
  ["equals", "the operator is =="],
  ["coalesce", "write has(a.b) ? a.b : c, or a.?b.orValue(c)"],
  ["if", "a condition is a ? b : c"],
  ["print", "an expression has no effects"],
  ["parseInt", "the function is int(x)"],
  ["Number", "the function is int(x) or double(x)"],
  ["float", "the function is double(x)"],
  ["String", "the function is string(x)"],
  ["Date", "the function is timestamp(x)"],
]);
