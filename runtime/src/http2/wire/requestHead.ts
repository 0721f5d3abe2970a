import { isField, malformed } from "./fieldForm.ts";
import type { Decoded } from "./hpackDecoder.ts";
import type { Field } from "./hpackTable.ts";

/** What a block of headers of a client says. */
export type RequestHead =
  | {
      readonly kind: "request";
      readonly method: string;
      readonly path: string;
      /** Without those that begin with a colon, in their order. */
      readonly fields: readonly Field[];
      /** What `content-length` announces. */
      readonly contentBytes: number | undefined;
    }
  | { readonly kind: "trailers"; readonly fields: readonly Field[] }
  | { readonly kind: "malformed"; readonly message: string }
  | { readonly kind: "tooLarge" };

const pseudoHeaders: readonly string[] = [":method", ":scheme", ":authority", ":path"];
const pathForm = /^(?:\/[!-~]*|\*)$/;

/** Headers or trailers of a request (RFC 9113, sections 8.2 and 8.3). */
export function toRequestHead({ fields, isTooLarge }: Decoded): RequestHead {
  if (isTooLarge) return { kind: "tooLarge" };
  const pseudo: (string | undefined)[] = [];
  const rest: Field[] = [];
  let contentBytes: number | undefined;
  for (const field of fields) {
    const [name, value] = field;
    if (name.startsWith(":")) {
      const index = pseudoHeaders.indexOf(name);
      if (index < 0 || pseudo[index] !== undefined || rest.length > 0) return malformed(field);
      pseudo[index] = value;
      continue;
    }
    if (!isField(field) || (name === "te" && value !== "trailers")) return malformed(field);
    if (name === "content-length") {
      if (!/^\d{1,15}$/.test(value) || contentBytes !== undefined) return malformed(field);
      contentBytes = Number(value);
    }
    rest.push(field);
  }
  if (pseudo.length === 0) return { kind: "trailers", fields: rest };
  const [method, scheme, , path] = pseudo;
  if (method === undefined || scheme === undefined || path === undefined)
    return { kind: "malformed", message: "a request without method, scheme or path" };
  if (!pathForm.test(path)) return malformed([":path", path]);
  return { kind: "request", method, path, fields: rest, contentBytes };
}
