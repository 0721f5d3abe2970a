import { ScalarType } from "@bufbuild/protobuf";
import type { DescEnum, DescMessage, Registry } from "@bufbuild/protobuf";

/** What a list or a map of a kept value holds. */
export type ElementType =
  | { readonly kind: "scalar"; readonly scalar: ScalarType }
  | { readonly kind: "enum"; readonly enum: DescEnum }
  | { readonly kind: "message"; readonly message: DescMessage };

/**
 * Type of a value that can be kept as bytes: a message is its own bytes; anything else is a message with one field, number 1, of that
 * type (`repeated` for a list, `map` for a map), so that every variable of a run is a type name and bytes.
 */
export type ValueType = (
  | ElementType
  | { readonly kind: "list"; readonly element: ElementType }
  | { readonly kind: "map"; readonly key: ScalarType; readonly value: ElementType }
) & {
  /** A field declared `debug_redact` went into the value: it is not shown. No part of the type's spelling. */
  readonly isRedacted?: boolean;
};

/** Why a text names no value type. */
export interface WrongValueType {
  readonly kind: "wrong";
  readonly message: string;
  readonly hint: string | undefined;
}

const scalarByName: ReadonlyMap<string, ScalarType> = new Map([
  ["double", ScalarType.DOUBLE],
  ["float", ScalarType.FLOAT],
  ["int64", ScalarType.INT64],
  ["int", ScalarType.INT64],
  ["uint64", ScalarType.UINT64],
  ["uint", ScalarType.UINT64],
  ["int32", ScalarType.INT32],
  ["uint32", ScalarType.UINT32],
  ["sint32", ScalarType.SINT32],
  ["sint64", ScalarType.SINT64],
  ["fixed32", ScalarType.FIXED32],
  ["fixed64", ScalarType.FIXED64],
  ["sfixed32", ScalarType.SFIXED32],
  ["sfixed64", ScalarType.SFIXED64],
  ["bool", ScalarType.BOOL],
  ["string", ScalarType.STRING],
  ["bytes", ScalarType.BYTES],
]);

const nameOfScalar: ReadonlyMap<ScalarType, string> = new Map(
  [...scalarByName].filter(([name]) => name !== "int" && name !== "uint").map(([name, scalar]) => [scalar, name]),
);

const shorthand: ReadonlyMap<string, string> = new Map([
  ["timestamp", "google.protobuf.Timestamp"],
  ["duration", "google.protobuf.Duration"],
]);

/**
 * Reads "bool", "int32", "shop.v1.Order", "Order" (looked up from `container` outwards), "list(T)", "map(K, V)"; "int", "uint",
 * "timestamp" and "duration" are short for int64, uint64 and the well-known messages.
 */
export function parseValueType(text: string, registry: Registry, container: string): ValueType | WrongValueType {
  const trimmed = text.trim();
  const list = /^list\((.*)\)$/s.exec(trimmed);
  if (list !== null) {
    const element = parseElement(list[1] ?? "", registry, container);
    return element.kind === "wrong" ? element : { kind: "list", element };
  }
  const map = /^map\(([^,]*),(.*)\)$/s.exec(trimmed);
  if (map !== null) return parseMap((map[1] ?? "").trim(), map[2] ?? "", registry, container);
  return parseElement(trimmed, registry, container);
}

/** The one spelling of a value type: scalars by their protobuf names, messages and enums by their full names. */
export function formatValueType(type: ValueType): string {
  switch (type.kind) {
    case "scalar":
      return nameOfScalar.get(type.scalar) ?? "";
    case "enum":
      return type.enum.typeName;
    case "message":
      return type.message.typeName;
    case "list":
      return `list(${formatValueType(type.element)})`;
    case "map":
      return `map(${nameOfScalar.get(type.key) ?? ""}, ${formatValueType(type.value)})`;
  }
}

function parseMap(
  keyText: string,
  valueText: string,
  registry: Registry,
  container: string,
): ValueType | WrongValueType {
  const key = scalarByName.get(keyText);
  if (key === undefined || key === ScalarType.DOUBLE || key === ScalarType.FLOAT || key === ScalarType.BYTES) {
    return {
      kind: "wrong",
      message: `'${keyText}' can't be the key of a map`,
      hint: "keys are string, bool or whole numbers",
    };
  }
  const value = parseElement(valueText, registry, container);
  return value.kind === "wrong" ? value : { kind: "map", key, value };
}

function parseElement(text: string, registry: Registry, container: string): ElementType | WrongValueType {
  const name = text.trim();
  const scalar = scalarByName.get(name);
  if (scalar !== undefined) return { kind: "scalar", scalar };
  if (/^(list|map)\(/.test(name)) {
    return { kind: "wrong", message: `'${name}' can't stand inside a list or a map`, hint: "put it into a message" };
  }
  for (const candidate of candidateNames(shorthand.get(name) ?? name, container)) {
    const message = registry.getMessage(candidate);
    if (message !== undefined) return { kind: "message", message };
    const found = registry.getEnum(candidate);
    if (found !== undefined) return { kind: "enum", enum: found };
  }
  return { kind: "wrong", message: `unknown type '${name}'`, hint: undefined };
}

/** The full names that `name` may stand for inside `container`, innermost first; a leading dot makes it absolute. */
export function candidateNames(name: string, container: string): readonly string[] {
  if (name.startsWith(".")) return [name.slice(1)];
  const found: string[] = [];
  for (let outer = container; outer !== ""; outer = outer.slice(0, Math.max(0, outer.lastIndexOf("."))))
    found.push(`${outer}.${name}`);
  found.push(name);
  return found;
}
