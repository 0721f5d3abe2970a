import type { DescField, DescMessage, JsonValue, Registry } from "@bufbuild/protobuf";

/** Stands where a value would be that is declared `debug_redact`. */
export const redactedMark = "[redacted]";

/** A message's protobuf JSON without the values of fields that are declared `debug_redact`, however deep they stand; in Any too. */
export function redactJson(registry: Registry, message: DescMessage, json: JsonValue): JsonValue {
  if (!isObject(json)) return json;
  if (message.typeName === "google.protobuf.Any") return redactAny(registry, json);
  // The others of these have a JSON form of their own, without fields of ours.
  if (message.typeName.startsWith("google.protobuf.")) return json;
  const byName = new Map(message.fields.map((field) => [field.jsonName, field]));
  return Object.fromEntries(
    Object.entries(json).map(([name, value]) => {
      const field = byName.get(name);
      return [name, field === undefined ? value : redactField(registry, field, value)];
    }),
  );
}

/** Messages of the type may hold such fields. */
export function holdsRedacted(message: DescMessage): boolean {
  const seen = new Set<DescMessage>([message]);
  for (const one of seen) {
    for (const field of one.fields) {
      if (field.proto.options?.debugRedact === true) return true;
      if (field.message !== undefined) seen.add(field.message);
    }
  }
  return false;
}

function redactField(registry: Registry, field: DescField, value: JsonValue): JsonValue {
  if (field.proto.options?.debugRedact === true) return redactedMark;
  const { message } = field;
  if (message === undefined) return value;
  if (field.fieldKind === "list" && Array.isArray(value)) return value.map((one) => redactJson(registry, message, one));
  if (field.fieldKind === "map" && isObject(value))
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, redactJson(registry, message, one)]));
  return redactJson(registry, message, value);
}

function redactAny(registry: Registry, json: { [key: string]: JsonValue }): JsonValue {
  const { "@type": typeUrl } = json;
  if (typeof typeUrl !== "string") return json;
  const message = registry.getMessage(typeUrl.slice(typeUrl.lastIndexOf("/") + 1));
  return message === undefined ? json : redactJson(registry, message, json);
}

function isObject(json: JsonValue): json is { [key: string]: JsonValue } {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}
