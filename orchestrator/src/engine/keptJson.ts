import { fromBinary, toJson } from "@bufbuild/protobuf";
import type { Registry } from "@bufbuild/protobuf";
import { toKeptForm } from "./expression/kept.ts";
import type { KeptValue } from "./expression/result.ts";
import { parseValueType } from "./expression/value.ts";

/** A kept value as JSON, by protobuf's rules; empty when its type is not known. */
export function toJsonText({ type, bytes }: KeptValue, registry: Registry): string {
  const parsed = parseValueType(type, registry, "");
  if (parsed.kind === "wrong") return "";
  const { message } = toKeptForm(parsed, registry);
  const json = toJson(message, fromBinary(message, bytes), { registry, alwaysEmitImplicit: parsed.kind !== "message" });
  if (parsed.kind === "message" || json === null || typeof json !== "object") return JSON.stringify(json);
  // What is not a message is the one field of its holder.
  const [value] = Object.values(json);
  return JSON.stringify(value);
}
