import { fromJson } from "@bufbuild/protobuf";
import type { DescField, DescMessage, JsonValue, Registry } from "@bufbuild/protobuf";
import { isMap, isSeq } from "yaml";
import type { Document, Node } from "yaml";
import { didYouMean } from "../../orchestrator/src/compile/closest.ts";
import { behindAlias, itemsOf, kindOf, pairsOf } from "./yamlNode.ts";
import type { NodePair } from "./yamlNode.ts";

/** Something that does not fit, and where in the document it stands. */
export interface Misfit {
  readonly node: Node | undefined;
  readonly message: string;
  readonly hint: string;
}

/** What a document is read with. */
export interface FixtureText {
  readonly document: Document;
  /** Knows the types of Any. */
  readonly registry: Registry;
}

/** What keeps a node from being a message in protobuf JSON, each at the value, or the name, that is wrong. */
export function misfitsOf(text: FixtureText, type: DescMessage, given: Node | undefined): readonly Misfit[] {
  const node = behindAlias(text.document, given);
  if (hasOwnForm(type)) return fitWhole(text, type, node);
  if (!isMap(node)) {
    const names = type.fields.map(({ name }) => name).join(", ");
    const hint = names === "" ? "it has no fields: write {}" : `its fields are ${names}`;
    return [{ node, message: `expected a ${type.typeName}, found ${kindOf(node)}`, hint }];
  }
  const found = pairsOf(node).flatMap((pair) => fieldMisfits(text, type, pair));
  return found.length > 0 ? found : fitWhole(text, type, node);
}

/** Types whose JSON is not made of their fields. */
function hasOwnForm({ typeName }: DescMessage): boolean {
  return /^google\.protobuf\.(Any|Timestamp|Duration|FieldMask|Struct|Value|ListValue|\w+Value)$/.test(typeName);
}

function fieldMisfits(text: FixtureText, type: DescMessage, { key, name, value }: NodePair): readonly Misfit[] {
  const field = type.fields.find((one) => one.name === name || one.jsonName === name);
  if (field === undefined) {
    const names = type.fields.map((one) => one.name);
    const hint = didYouMean(name, names);
    const all = names.length === 0 ? "it has none" : `its fields are ${names.join(", ")}`;
    return [{ node: key, message: `${type.typeName} has no field '${name}'`, hint: hint === "" ? all : hint }];
  }
  return valueMisfits(text, field, behindAlias(text.document, value) ?? key);
}

function valueMisfits(text: FixtureText, field: DescField, node: Node | undefined): readonly Misfit[] {
  if (field.fieldKind === "message" && field.message !== undefined) return misfitsOf(text, field.message, node);
  if (field.fieldKind === "list" && isSeq(node))
    return itemsOf(node).flatMap((item) => elementMisfits(text, field, item));
  if (field.fieldKind === "map" && field.mapKind === "message" && isMap(node))
    return pairsOf(node).flatMap(({ value }) => misfitsOf(text, field.message, value));
  return fitOne(text, field, node, jsonOf(text, node));
}

function elementMisfits(text: FixtureText, field: DescField & { fieldKind: "list" }, given: Node): readonly Misfit[] {
  if (field.listKind === "message") return misfitsOf(text, field.message, given);
  return fitOne(text, field, given, [jsonOf(text, given)]);
}

function fitOne(text: FixtureText, field: DescField, node: Node | undefined, value: JsonValue): readonly Misfit[] {
  const told = refusalOf(text, field.parent, { [field.name]: value });
  if (told === undefined) return [];
  return [{ node, message: `${field.parent.typeName}.${field.name}: ${told}`, hint: hintFor(field) }];
}

function fitWhole(text: FixtureText, type: DescMessage, node: Node | undefined): readonly Misfit[] {
  const told = refusalOf(text, type, jsonOf(text, node));
  return told === undefined ? [] : [{ node, message: `it is no ${type.typeName}: ${told}`, hint: formOf(type) }];
}

function refusalOf({ registry }: FixtureText, type: DescMessage, json: JsonValue): string | undefined {
  try {
    fromJson(type, json, { registry });
    return undefined;
  } catch (error) {
    const told = error instanceof Error ? error.message : String(error);
    return told.replace(/^cannot decode (field|message|enum) \S+ from JSON:?\s*/, "");
  }
}

function hintFor(field: DescField): string {
  const { enum: values } = field;
  if (values !== undefined) return `one of ${values.values.map(({ name }) => name).join(", ")}`;
  if (field.fieldKind === "list") return "expected a list";
  return field.fieldKind === "map" ? "expected a map" : "";
}

function formOf({ typeName }: DescMessage): string {
  if (typeName === "google.protobuf.Timestamp") return 'write it as "2026-01-01T00:00:00Z"';
  if (typeName === "google.protobuf.Duration") return 'write it as "1.5s"';
  return typeName === "google.protobuf.Any" ? 'name its type: "@type": "type.googleapis.com/google.rpc.RetryInfo"' : "";
}

/** A node as JSON: YAML's own times and the like are not asked for. */
export function jsonOf({ document }: FixtureText, node: Node | undefined): JsonValue {
  return node === undefined ? null : node.toJS(document);
}
