import { fromBinary, toJson } from "@bufbuild/protobuf";
import type { DescMessage, JsonValue, JsonWriteOptions, Registry } from "@bufbuild/protobuf";
import { toKeptForm } from "./expression/kept.ts";
import type { KeptValue } from "./expression/result.ts";
import { parseValueType } from "./expression/value.ts";

/** A kept value as JSON, by protobuf's rules; empty when its type is not known, or JSON has no form for it: a time after the year 9999. */
export function toJsonText({ type, bytes }: KeptValue, registry: Registry): string {
  const parsed = parseValueType(type, registry, "");
  if (parsed.kind === "wrong") return "";
  const { message } = toKeptForm(parsed, registry);
  const json = jsonOf(message, bytes, { registry, alwaysEmitImplicit: parsed.kind !== "message" });
  if (json === undefined) return "";
  if (parsed.kind === "message" || json === null || typeof json !== "object") return JSON.stringify(json);
  // What is not a message is the one field of its holder.
  const [value] = Object.values(json);
  return JSON.stringify(value);
}

function jsonOf(message: DescMessage, bytes: Uint8Array, options: Partial<JsonWriteOptions>): JsonValue | undefined {
  try {
    return toJson(message, fromBinary(message, bytes), options);
  } catch {
    return undefined;
  }
}
