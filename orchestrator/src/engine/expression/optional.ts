import { CelScalar, celFunc, celList, isCelList, isCelMap, isCelUint } from "@bufbuild/cel";
import type { CelFunc, CelInput, CelList, CelValue } from "@bufbuild/cel";
import { isReflectMessage } from "@bufbuild/protobuf/reflect";
import { absent, copyField } from "./build.ts";
import { nameOf } from "./convert.ts";
import { spend } from "./meter.ts";
import type { Meter } from "./meter.ts";

const { BOOL, DYN, STRING } = CelScalar;
const optionals = new WeakSet<CelValue & object>();

/** An optional value stands as a list of at most one, so that equal ones are equal; no other list is one. */
function toOptional(values: readonly CelInput[]): CelList {
  const optional = celList(values);
  optionals.add(optional);
  return optional;
}

/** The optional without a value. */
export const none: CelList = toOptional([]);

/** The optional with this value. */
export function some(value: CelInput): CelList {
  return toOptional([value]);
}

/** Is it an optional, and not just a list? */
export function isOptional(value: CelValue): value is CelList {
  return isCelList(value) && optionals.has(value);
}

/** What the checker rewrites optional syntax and the functions of optional values into. */
export function optionalFunctions(meter: Meter): CelFunc[] {
  return [
    celFunc("@some", [DYN], DYN, some),
    celFunc("@none", [], DYN, () => none),
    celFunc("@someNonZero", [DYN], DYN, (value) => (isZero(value) ? none : some(value))),
    celFunc("@hasValue", [DYN], BOOL, (optional) => opened(optional).size === 1),
    celFunc("@unwrap", [DYN], DYN, (optional) => {
      const value = opened(optional).get(0);
      if (value === undefined) throw new Error("the optional has no value: test with hasValue(), or take orValue(…)");
      return value;
    }),
    celFunc("@orAbsent", [DYN], DYN, (optional) => opened(optional).get(0) ?? absent),
    celFunc("@optSelect", [DYN, STRING], DYN, (operand, name) => selectIn(operand, name, meter)),
    celFunc("@optIndex", [DYN, DYN], DYN, (container, key) => indexIn(container, key, meter)),
    celFunc("@flat", [DYN], DYN, flatten),
  ];
}

function opened(value: CelValue): CelList {
  if (!isOptional(value)) throw new Error(`an optional value is expected, the value is ${nameOf(value)}`);
  return value;
}

function selectIn(operand: CelValue, name: string, meter: Meter): CelList {
  const container = isOptional(operand) ? operand.get(0) : operand;
  if (container === undefined) return none;
  if (isCelMap(container)) return indexIn(container, name, meter);
  if (!isReflectMessage(container)) throw new Error(`${nameOf(container)} has no fields`);
  const field = container.desc.fields.find((candidate) => candidate.name === name);
  if (field === undefined) throw new Error(`${container.desc.typeName} has no field '${name}'`);
  if (!container.isSet(field)) return none;
  if (field.fieldKind === "list") return some(container.get(field));
  return some(field.fieldKind === "map" ? container.get(field) : copyField(container, name));
}

function indexIn(operand: CelValue, key: CelValue, meter: Meter): CelList {
  const container = isOptional(operand) ? operand.get(0) : operand;
  if (container === undefined) return none;
  const found = isCelList(container) ? elementOf(container, key) : valueOf(container, key);
  // The library looks through all keys for a number that is not there.
  if (found === undefined && isCelMap(container) && typeof key !== "string") spend(meter, container.size);
  return found === undefined ? none : some(found);
}

function elementOf(list: CelList, key: CelValue): CelValue | undefined {
  const index = Number(isCelUint(key) ? key.value : key);
  return Number.isInteger(index) ? list.get(index) : undefined;
}

function valueOf(container: CelValue, key: CelValue): CelValue | undefined {
  if (!isCelMap(container)) throw new Error(`${nameOf(container)} can't be indexed`);
  if (isCelUint(key)) return container.get(key);
  switch (typeof key) {
    case "string":
    case "bigint":
    case "number":
    case "boolean":
      return container.get(key);
    default:
      return undefined;
  }
}

/** The elements of a list literal in which some are optional: each part is a list of one, or an optional. */
function flatten(parts: CelValue): CelList {
  if (!isCelList(parts)) throw new Error("a list is expected");
  const elements: CelInput[] = [];
  for (const part of parts) {
    if (!isCelList(part)) throw new Error("a list is expected");
    elements.push(...part);
  }
  return celList(elements);
}

/** false, 0, empty, null, or a message with nothing set. */
function isZero(value: CelValue): boolean {
  if (value === null || value === false || value === "" || value === 0 || value === 0n) return true;
  if (isCelUint(value)) return value.value === 0n;
  if (value instanceof Uint8Array) return value.length === 0;
  if (isCelList(value) || isCelMap(value)) return value.size === 0;
  if (!isReflectMessage(value)) return false;
  return (value.getUnknown()?.length ?? 0) === 0 && value.fields.every((field) => !value.isSet(field));
}
