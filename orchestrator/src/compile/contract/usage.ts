import type { FieldShape } from "./contract.ts";

/** Which fields of messages are set, or read; what is not used may change as it likes. */
export type Usage =
  | { readonly kind: "all" }
  /** Numbers of fields by the full name of their message; a message that is not in it is passed on as it is, with all it has. */
  | { readonly kind: "built"; readonly fields: ReadonlyMap<string, ReadonlySet<number>> }
  /** Fields whose names are mentioned somewhere. */
  | { readonly kind: "named"; readonly names: ReadonlySet<string> };

/** Does it matter what becomes of the field? */
export function isUsed(usage: Usage, message: string, { number, name }: FieldShape): boolean {
  switch (usage.kind) {
    case "all":
      return true;
    case "built":
      return usage.fields.get(message)?.has(number) ?? true;
    case "named":
      return usage.names.has(name);
  }
}
