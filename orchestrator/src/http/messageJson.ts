import { fromBinary, fromJson, toBinary, toJson } from "@bufbuild/protobuf";
import type { DescMessage, JsonValue, Registry } from "@bufbuild/protobuf";
import { holdsRedacted, redactJson } from "../../../proto/json/redacted.ts";
import { withUnknownTypes } from "../../../proto/json/registry.ts";
import type { RpcTypes } from "./contracts.ts";

export type Parsed =
  | { readonly kind: "message"; readonly bytes: Uint8Array }
  | { readonly kind: "wrong"; readonly message: string };

/** JSON text as a value, or where it is wrong. */
export function parseJson(
  text: string,
): { readonly kind: "json"; readonly json: JsonValue } | Extract<Parsed, { readonly kind: "wrong" }> {
  // An empty body is an empty message.
  if (text.trim() === "") return { kind: "json", json: {} };
  try {
    return { kind: "json", json: JSON.parse(text) };
  } catch (error) {
    const told = error instanceof Error ? error.message : String(error);
    // What V8 quotes of the text may be a secret; the position it tells with it.
    const position = /at position \d+ \(line \d+ column \d+\)/.exec(told)?.[0] ?? "at its end";
    return { kind: "wrong", message: `the request is no JSON: it goes wrong ${position}` };
  }
}

/** A message from its protobuf JSON, with camelCase or snake_case names; a name that the type does not have is refused. */
export function toMessage(type: DescMessage, json: JsonValue, registry: Registry): Parsed {
  try {
    return { kind: "message", bytes: toBinary(type, fromJson(type, json, { registry })) };
  } catch (error) {
    const told = error instanceof Error ? error.message : String(error);
    // What follows may quote a value.
    const reason = holdsRedacted(type) ? told.replace(/ from JSON\b.*$/s, " from JSON") : told;
    return { kind: "wrong", message: `the request is no ${type.typeName}: ${reason}` };
  }
}

/** A response as protobuf JSON. What is declared `debug_redact` shows only in a workflow's own answers: they are the caller's. */
export function toShown({ method, registry, isOwn }: RpcTypes, bytes: Uint8Array, isDecoded: boolean): JsonValue {
  const message = fromBinary(method.output, bytes);
  const json = toJson(method.output, message, { registry: withUnknownTypes(registry) });
  if (!isOwn) return json;
  const redacted = redactJson(registry, method.output, json);
  return isDecoded ? decodeBytes(method.output, redacted, registry) : redacted;
}

/** A message of ours with its bytes fields shown as messages, where a field beside them, `<name>_type`, names their type. */
function decodeBytes(type: DescMessage, json: JsonValue, registry: Registry): JsonValue {
  if (!isObject(json)) return json;
  return Object.fromEntries(
    Object.entries(json).map(([name, value]): [string, JsonValue] => {
      const field = type.fields.find((one) => one.jsonName === name);
      const nested = field?.message;
      if (nested !== undefined && nested.typeName.startsWith("sidestep.v1.")) {
        if (Array.isArray(value)) return [name, value.map((one) => decodeBytes(nested, one, registry))];
        return [name, decodeBytes(nested, value, registry)];
      }
      const typeName = json[`${name}Type`];
      const packed = typeof typeName === "string" ? registry.getMessage(typeName) : undefined;
      if (packed === undefined || typeof value !== "string") return [name, value];
      return [name, decoded(packed, value, registry) ?? value];
    }),
  );
}

function decoded(type: DescMessage, base64: string, registry: Registry): JsonValue | undefined {
  try {
    const json = toJson(type, fromBinary(type, Buffer.from(base64, "base64")), {
      registry: withUnknownTypes(registry),
    });
    return redactJson(registry, type, json);
  } catch {
    // What has no JSON form stays base64, as in the canonical answer.
    return undefined;
  }
}

function isObject(json: JsonValue): json is { [key: string]: JsonValue } {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}
