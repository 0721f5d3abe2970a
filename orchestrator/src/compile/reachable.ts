import type { DescEnum, DescField, DescMessage, FileRegistry } from "@bufbuild/protobuf";

/** Messages and enums by full name. */
export type Reachable = ReadonlyMap<string, DescMessage | DescEnum>;

/** The named types and everything their fields refer to, sorted by name; names that the registry doesn't know are left out. */
export function reachableFrom(registry: FileRegistry, names: Iterable<string>): Reachable {
  const found = new Map<string, DescMessage | DescEnum>();
  const pending: (DescMessage | DescEnum)[] = [];
  const reach = (type: DescMessage | DescEnum | undefined): void => {
    if (type === undefined || found.has(type.typeName)) return;
    found.set(type.typeName, type);
    pending.push(type);
  };
  for (const name of names) reach(registry.getMessage(name) ?? registry.getEnum(name));
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (next.kind === "enum") continue;
    for (const field of next.fields) {
      reach(field.message);
      reach(field.enum);
    }
  }
  return new Map([...found].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** The type of a field's value, or of its elements: a full name or the number of a scalar type. */
export function shapeOf(field: DescField): string | number {
  return field.message?.typeName ?? field.enum?.typeName ?? field.scalar ?? "";
}
