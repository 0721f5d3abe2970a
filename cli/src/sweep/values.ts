import { fromJson, toBinary } from "@bufbuild/protobuf";
import type { DescMessage, JsonObject, JsonValue, Registry } from "@bufbuild/protobuf";
import type { SweepCase } from "./case.ts";

/** A message with the case's values of `root`; undefined: they don't fit it. */
export function changed(
  type: DescMessage,
  json: JsonValue,
  root: string,
  { set }: SweepCase,
  registry: Registry,
): Uint8Array | undefined {
  const own = [...set].filter(([target]) => target.startsWith(`${root}.`));
  let whole = json;
  for (const [target, value] of own) whole = withValue(type, whole, target.slice(root.length + 1).split("."), value);
  try {
    return toBinary(type, fromJson(type, whole, { registry }));
  } catch {
    return undefined;
  }
}

function withValue(type: DescMessage, json: JsonValue, names: readonly string[], value: JsonValue): JsonValue {
  const [name = "", ...rest] = names;
  const field = type.fields.find((one) => one.name === name);
  const object: JsonObject = typeof json === "object" && json !== null && !Array.isArray(json) ? json : {};
  const key = field?.jsonName ?? name;
  const inner =
    rest.length === 0 || field?.message === undefined
      ? value
      : withValue(field.message, object[key] ?? {}, rest, value);
  return { ...object, [key]: inner };
}
