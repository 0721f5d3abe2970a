import type { DescMessage } from "@bufbuild/protobuf";
import { parseValueType } from "../engine/expression/value.ts";
import type { ValueType } from "../engine/expression/value.ts";
import { didYouMean } from "./closest.ts";
import type { Context } from "./context.ts";
import type { Place } from "./place.ts";

/** The type that a definition spells at `place`; undefined, and a finding, when there is none of that name. */
export function resolveType(context: Context, text: string, place: Place): ValueType | undefined {
  const type = parseValueType(text, context.registry, context.container);
  if (type.kind !== "wrong") return type;
  const known = [...context.registry].filter((found) => found.kind === "message" || found.kind === "enum");
  const near = didYouMean(
    text,
    known.map((found) => found.typeName),
  );
  const hint = type.hint ?? (near || 'a message, an enum, a scalar like "string", "list(T)" or "map(K, V)"');
  context.findings.add("TYPE_NAME", place, type.message, hint);
  return undefined;
}

/** The message of that name; its type is noted for the plan's descriptors. `what` is a clause: "a detail is a message". */
export function resolveMessage(context: Context, text: string, place: Place, what: string): DescMessage | undefined {
  const type = resolveType(context, text, place);
  if (type === undefined) return undefined;
  if (type.kind !== "message") {
    context.findings.add("TYPE_NAME", place, `${what}, '${text}' is not`, "put the value into a message");
    return undefined;
  }
  context.types.add(type.message.typeName);
  return type.message;
}

/** A message of the engine's own; undefined when the image's schema lacks it, which is told elsewhere. */
export function engineType(context: Context, name: "Error" | "Decision"): ValueType | undefined {
  const message = context.registry.getMessage(`sidestep.v1.${name}`);
  return message === undefined ? undefined : { kind: "message", message };
}

/** Notes the messages and enums of a type. */
export function addTypes(types: Set<string>, type: ValueType): void {
  switch (type.kind) {
    case "scalar":
      return;
    case "enum":
      types.add(type.enum.typeName);
      return;
    case "message":
      types.add(type.message.typeName);
      return;
    case "list":
      addTypes(types, type.element);
      return;
    case "map":
      addTypes(types, type.value);
  }
}
