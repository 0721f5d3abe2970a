import { fromBinary, fromJson, toBinary, toJson } from "@bufbuild/protobuf";
import type { DescMessage, JsonObject, JsonValue, Message, Registry } from "@bufbuild/protobuf";
import type { Given, JsonMessage, Plain } from "./plain.ts";
import { SandboxError } from "./sandboxError.ts";

/** A message's bytes. Throws SandboxError when what is given is none of that type; `what` says whose it is: "the request of shop.v1.Order/Fulfil". */
export function toBytes(registry: Registry, type: DescMessage, given: Given, what: string): Uint8Array {
  try {
    if (!isMessage(given)) return toBinary(type, fromJson(type, jsonOf(registry, given), { registry }));
    if (given.$typeName === type.typeName) return toBinary(type, given);
  } catch (error) {
    const told = error instanceof Error ? error.message : String(error);
    throw new SandboxError(`${what} is no ${type.typeName}: ${told}\n${fieldsOf(type)}`, error);
  }
  throw new SandboxError(`${what} is a ${given.$typeName}, wanted is a ${type.typeName}`);
}

/** A message as protobuf JSON, with all fields that have no presence. */
export function toPlain(registry: Registry, type: DescMessage, bytes: Uint8Array): JsonMessage {
  const json = toJson(type, fromBinary(type, bytes), { registry, alwaysEmitImplicit: true });
  // Some of Google's own messages are no objects in JSON.
  return isObject(json) ? json : { value: json };
}

/** A google.protobuf.Any of a detail. */
export function toDetail(registry: Registry, given: Given): JsonObject {
  if (!isMessage(given)) {
    const json = jsonOf(registry, given);
    if (isObject(json)) return json;
    throw new SandboxError('a detail is an object with the name of its type: { "@type": "payment.v1.Decline", … }');
  }
  const json = messageJson(registry, given);
  return { "@type": given.$typeName, ...(isObject(json) ? json : { value: json }) };
}

function jsonOf(registry: Registry, given: Plain | undefined): JsonValue {
  if (given === undefined || given === null) return null;
  if (typeof given === "bigint") return given.toString();
  if (typeof given !== "object") return given;
  if (given instanceof Uint8Array) return Buffer.from(given).toString("base64");
  if (given instanceof Date) return given.toISOString();
  if (isList(given)) return given.map((one) => jsonOf(registry, one));
  if (isMessage(given)) return messageJson(registry, given);
  const entries = Object.entries(given).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries.map(([name, value]) => [name, jsonOf(registry, value)]));
}

function messageJson(registry: Registry, message: Message): JsonValue {
  const type = registry.getMessage(message.$typeName);
  if (type === undefined) throw new SandboxError(`the contracts have no ${message.$typeName}`);
  return toJson(type, message, { registry });
}

function fieldsOf(type: DescMessage): string {
  const names = type.fields.map(({ jsonName, name }) => (jsonName === name ? name : `${jsonName} (${name})`));
  return names.length === 0 ? "It has no fields." : `Its fields are ${names.join(", ")}.`;
}

function isMessage(given: Plain): given is Message {
  return typeof given === "object" && given !== null && "$typeName" in given && typeof given.$typeName === "string";
}

function isList(given: Plain): given is readonly Plain[] {
  return Array.isArray(given);
}

function isObject(json: JsonValue): json is JsonObject {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}
