import { fromBinary, fromJsonString, toBinary, toJson } from "@bufbuild/protobuf";
import type { DescMessage, JsonValue, Registry } from "@bufbuild/protobuf";
import { holdsRedacted, redactJson } from "../../proto/json/redacted.ts";
import { withUnknownTypes } from "../../proto/json/registry.ts";
import { didYouMean } from "../../orchestrator/src/compile/closest.ts";
import { CliFailure, exit } from "./failure.ts";

/**
 * The bytes of a message as protobuf JSON, to be read by people: what is declared `debug_redact` is marked, and of an Any of unknown type only the
 * type is shown.
 */
export function bytesToJson(registry: Registry, type: string, bytes: Uint8Array): string {
  return JSON.stringify(bytesToShown(registry, type, bytes), undefined, 2);
}

/** The same on one line, for tables. */
export function bytesToLine(registry: Registry, type: string, bytes: Uint8Array): string {
  return JSON.stringify(bytesToShown(registry, type, bytes));
}

/** bytesToJson, or the size of what has no JSON form, such as a Timestamp after the year 9999. */
export function bytesToText(registry: Registry, type: string, bytes: Uint8Array): string {
  try {
    return bytesToJson(registry, type, bytes);
  } catch (error) {
    if (!(error instanceof CliFailure)) throw error;
    return `${bytes.length} bytes (${error.message})`;
  }
}

function bytesToShown(registry: Registry, type: string, bytes: Uint8Array): JsonValue {
  const description = descriptor(registry, type);
  return redactJson(registry, description, jsonOf(registry, description, bytes));
}

function jsonOf(registry: Registry, description: DescMessage, bytes: Uint8Array): JsonValue {
  try {
    return toJson(description, fromBinary(description, bytes), { registry: withUnknownTypes(registry) });
  } catch (error) {
    // The reason may quote a value.
    const reason = !holdsRedacted(description) && error instanceof Error ? `: ${error.message}` : "";
    const what = `${description.typeName} as it came can't be shown as JSON${reason}`;
    throw new CliFailure(exit.error, what, "the answer", "read it with a client of its contract", error);
  }
}

/** A message's bytes from protobuf JSON, with camelCase or snake_case names. */
export function jsonToBytes(registry: Registry, type: string, json: string): Uint8Array {
  const description = descriptor(registry, type);
  try {
    return toBinary(description, fromJsonString(description, json, { registry }));
  } catch (error) {
    const told = error instanceof Error ? error.message : String(error);
    // What follows may quote a value.
    const reason = holdsRedacted(description) ? told.replace(/ from JSON\b.*$/s, " from JSON") : told;
    throw new CliFailure(
      exit.usage,
      `the request is no ${type}: ${reason}`,
      "-d, --request",
      `mend the JSON; names are those of the .proto${namesMeant(registry, told)}`,
      error,
    );
  }
}

/** The fields that there are, where a name is none of them. */
function namesMeant(registry: Registry, told: string): string {
  const [, type = "", key = ""] = /^cannot decode message ([\w.]+) from JSON: key "(\w+)" is unknown$/.exec(told) ?? [];
  const names = registry.getMessage(type)?.fields.map(({ name }) => name) ?? [];
  if (names.length === 0) return "";
  const near = didYouMean(key, names);
  return `: ${near === "" ? `${type} has ${names.join(", ")}` : near}`;
}

/** Whether the type behind an Any's URL is known. */
export function knowsType(registry: Registry, typeUrl: string): boolean {
  return registry.getMessage(typeUrl.slice(typeUrl.lastIndexOf("/") + 1)) !== undefined;
}

/** An Any's content on one line. */
export function anyToLine(registry: Registry, any: { readonly typeUrl: string; readonly value: Uint8Array }): string {
  const name = any.typeUrl.slice(any.typeUrl.lastIndexOf("/") + 1);
  return knowsType(registry, any.typeUrl)
    ? `${name} ${bytesToLine(registry, name, any.value)}`
    : `${name} (${any.value.length} bytes)`;
}

function descriptor(registry: Registry, type: string) {
  const found = registry.getMessage(type);
  if (found !== undefined) return found;
  throw new CliFailure(
    exit.error,
    `the type ${type} is not known`,
    "the orchestrator's reflection",
    "deploy the workflow's image again",
  );
}
