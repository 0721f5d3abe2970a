import { isCelList, isCelMap } from "@bufbuild/cel";
import type { CelInput, CelList, CelValue } from "@bufbuild/cel";
import { celFromScalar, celList } from "@bufbuild/cel";
import { fromBinary, isMessage } from "@bufbuild/protobuf";
import type { DescField, DescMessage, Registry } from "@bufbuild/protobuf";
import { isReflectMessage, reflect, reflectList, reflectMap } from "@bufbuild/protobuf/reflect";
import type { ReflectMessage } from "@bufbuild/protobuf/reflect";
import { Misfit, nameOf, toElement, toMessage, toScalar } from "./convert.ts";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import type { ElementType } from "./value.ts";

/** Stands for "not set" among a builder's values; nothing an expression can yield is this object. */
export const absent: CelList = celList([]);

/** A builder's fields, in the order of its values, with the place of each value in the source. */
export interface Builder {
  readonly message: DescMessage;
  readonly fields: readonly BuilderField[];
  readonly required: readonly DescField[];
  /** Where the message literal itself can't be told from its values: the first value, or 0. */
  readonly registry: Registry;
}

/** One field of a builder. */
export interface BuilderField {
  readonly field: DescField;
  readonly offset: number;
}

/** A failure at a place of the source. */
export class LocatedFailure extends Error {
  readonly offset: number;
  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

/** Builds the message: an absent value leaves its field unset, null too where the field is a message. */
export function buildMessage(builder: Builder, values: CelList): ReflectMessage {
  const message = reflect(builder.message, undefined, false);
  let index = 0;
  for (const value of values) {
    const place = builder.fields[index++];
    if (place === undefined || value === absent) continue;
    try {
      setField(message, place.field, value, builder.registry);
    } catch (error) {
      throw new LocatedFailure(
        `field '${place.field.name}' of ${builder.message.typeName}: ${textOf(error)}`,
        place.offset,
      );
    }
  }
  for (const field of builder.required) {
    if (!message.isSet(field))
      throw new Misfit(`required field '${field.name}' of ${builder.message.typeName} is not set`);
  }
  return message;
}

/** A field's value when it is set, else absent. Only messages are asked; the checker saw to that. */
export function copyField(operand: CelValue, name: string): CelInput {
  if (!isReflectMessage(operand)) throw new Misfit(`a message is expected, the value is ${nameOf(operand)}`);
  const field = operand.desc.fields.find((candidate) => candidate.name === name);
  if (field === undefined) throw new Misfit(`${operand.desc.typeName} has no field '${name}'`);
  if (!operand.isSet(field)) return absent;
  switch (field.fieldKind) {
    case "scalar":
      return celFromScalar(field.scalar, operand.get(field));
    case "enum":
      return BigInt(operand.get(field));
    case "message":
      return operand.get(field);
    case "list":
    case "map":
      throw new Misfit("a list or map has no presence");
  }
}

/** The message that a field of type Any holds, when it is of that type. */
export function openField(operand: CelValue, name: string, typeName: string, registry: Registry): CelInput {
  if (!isReflectMessage(operand)) throw new Misfit(`a message is expected, the value is ${nameOf(operand)}`);
  const field = operand.desc.fields.find((candidate) => candidate.name === name);
  const desc = registry.getMessage(typeName);
  if (field?.fieldKind !== "message" || desc === undefined) throw new Error(`'${name}' can't be opened as ${typeName}`);
  if (!operand.isSet(field)) throw new Misfit(`'${name}' is not set, ${typeName} is expected in it`);
  const { message } = operand.get(field);
  if (!isMessage(message, AnySchema)) throw new Misfit(`'${name}' is no google.protobuf.Any`);
  const found = message.typeUrl.slice(message.typeUrl.lastIndexOf("/") + 1);
  if (found !== typeName) throw new Misfit(`'${name}' holds ${found || "nothing"}, ${typeName} is expected in it`);
  return reflect(desc, fromBinary(desc, message.value), false);
}

function setField(message: ReflectMessage, field: DescField, value: CelValue, registry: Registry): void {
  if (field.oneof !== undefined && message.oneofCase(field.oneof) !== undefined) {
    throw new Misfit(
      `'${message.oneofCase(field.oneof)?.name ?? ""}' of the oneof '${field.oneof.name}' is set already`,
    );
  }
  switch (field.fieldKind) {
    case "scalar":
      message.set(field, toScalar(field.scalar, value));
      return;
    case "enum":
      message.set(field, toElement({ kind: "enum", enum: field.enum }, value, registry));
      return;
    case "message":
      if (value !== null || holdsNull(field.message)) message.set(field, toMessage(field.message, value, registry));
      return;
    case "list":
      message.set(field, toList(field, value, registry));
      return;
    case "map":
      message.set(field, toMap(field, value, registry));
      return;
  }
}

function holdsNull(desc: DescMessage): boolean {
  return desc.typeName === "google.protobuf.Any" || desc.typeName === "google.protobuf.Value";
}

/** The protobuf list of a CEL list. */
export function toList(
  field: DescField & { readonly fieldKind: "list" },
  value: CelValue,
  registry: Registry,
): unknown {
  if (!isCelList(value)) throw new Misfit(`a list is expected, the value is ${nameOf(value)}`);
  const element = elementOf(field.listKind, field);
  const list = reflectList(field, undefined, false);
  for (const item of value) list.add(toElement(element, item, registry));
  return list;
}

/** The protobuf map of a CEL map. */
export function toMap(field: DescField & { readonly fieldKind: "map" }, value: CelValue, registry: Registry): unknown {
  if (!isCelMap(value)) throw new Misfit(`a map is expected, the value is ${nameOf(value)}`);
  const element = elementOf(field.mapKind, field);
  const map = reflectMap(field, undefined, false);
  for (const [key, entry] of value) map.set(toScalar(field.mapKey, key), toElement(element, entry, registry));
  return map;
}

function elementOf(kind: "scalar" | "enum" | "message", field: DescField): ElementType {
  if (kind === "message" && field.message !== undefined) return { kind, message: field.message };
  if (kind === "enum" && field.enum !== undefined) return { kind, enum: field.enum };
  if (kind === "scalar" && field.scalar !== undefined) return { kind, scalar: field.scalar };
  throw new Error(`${field.toString()} has no element type`);
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
