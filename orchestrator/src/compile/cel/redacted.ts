import type { DescMessage, Registry } from "@bufbuild/protobuf";
import { holdsRedacted, isRedacted } from "../../engine/expression/redacted.ts";
import type { CelType } from "./type.ts";

const namesIn = new WeakMap<Registry, ReadonlySet<string>>();

/** Names of all fields that are declared `debug_redact`: what a selection may mean whose message is not known. */
export function redactedNames(registry: Registry): ReadonlySet<string> {
  const known = namesIn.get(registry);
  if (known !== undefined) return known;
  const names = new Set<string>();
  for (const desc of registry) {
    if (desc.kind !== "message") continue;
    for (const field of desc.fields) if (isRedacted(field)) names.add(field.name);
  }
  namesIn.set(registry, names);
  return names;
}

/** The message in a type that holds redacted fields. */
export function redactedMessage(type: CelType): DescMessage | undefined {
  switch (type.kind) {
    case "message":
      return holdsRedacted(type.message) ? type.message : undefined;
    case "list":
      return redactedMessage(type.element);
    case "map":
      return redactedMessage(type.value);
    case "opaque":
      return type.parameters.map(redactedMessage).find((message) => message !== undefined);
    case "dyn":
    case "error":
    case "any":
    case "unknown":
    case "null":
    case "bool":
    case "int":
    case "uint":
    case "double":
    case "string":
    case "bytes":
    case "timestamp":
    case "duration":
    case "wrapper":
    case "type":
      return undefined;
  }
}

/** Something in the type is taken as it comes. */
export function holdsDyn(type: CelType): boolean {
  if (type.kind === "list") return holdsDyn(type.element);
  return type.kind === "map" ? holdsDyn(type.value) : type.kind === "dyn";
}
