import type { Registry } from "@bufbuild/protobuf";

/**
 * Has every text of the registry's messages be Unicode when it is read, those of proto2 and of `utf8_validation: NONE` too: their readers would put
 * U+FFFD for what is none, and what an expression copies would not be what the service sent.
 * Before anything of the registry is read: readers are made once.
 */
export function verifyText(registry: Registry): void {
  for (const desc of registry) {
    if (desc.kind !== "message") continue;
    for (const field of desc.fields) {
      if ("utf8Validation" in field && !field.utf8Validation)
        Object.defineProperty(field, "utf8Validation", { value: true });
    }
  }
}
